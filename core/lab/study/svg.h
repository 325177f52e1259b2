#pragma once
#include <string>
#include <vector>

/// The pieces that charts are drawn with, as SVG text. Lengths are pixels.
namespace faststar::svg {

/// `text` with the characters that mean something in HTML and SVG spelled out.
std::string escaped(const std::string& text);

/// Where a text begins, ends or has its middle.
enum class Anchor { start, middle, end };

struct Place {
  double x = 0;
  double y = 0;
};

std::string text(Place place, const std::string& words, Anchor anchor = Anchor::start);
/// Reads upwards; `place` is its middle.
std::string upright_text(Place place, const std::string& words);
/// `css_class` names a rule of the page's style.
std::string line(Place from, Place to, const std::string& css_class);
std::string polyline(const std::vector<Place>& places, const std::string& colour);
/// Of dots, pixels.
inline constexpr double kDotRadius = 4;
/// `note` appears when the pointer rests on it.
std::string dot(Place place, const std::string& colour, const std::string& note);
std::string box(Place corner, double width, double height, const std::string& colour, const std::string& note = "");
/// A drawing of its own.
std::string picture(double width, double height, const std::string& content);

/// Colours that the colour-blind can tell apart (Okabe and Ito 2008), over and over.
const std::string& colour(size_t number);

/// Round numbers that span [low, high], five or so.
std::vector<double> ticks(double low, double high);

}  // namespace faststar::svg
