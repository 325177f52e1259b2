#include <cstdio>

int main() { std::puts(FASTSTAR_VERSION); }
