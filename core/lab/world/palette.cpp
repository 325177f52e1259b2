#include "core/lab/world/palette.h"

namespace faststar {
namespace {

/// In the order of ObjectColour: saturated, and apart from each other and from every background.
constexpr std::array<Rgb, Choices<ObjectColour>::names.size()> kObjects = {{{.88f, .10f, .12f},
                                                                            {.98f, .50f, .05f},
                                                                            {.99f, .85f, .10f},
                                                                            {.10f, .62f, .22f},
                                                                            {.12f, .32f, .88f},
                                                                            {.55f, .18f, .75f},
                                                                            {.10f, .10f, .12f},
                                                                            {.97f, .36f, .66f},
                                                                            {.46f, .26f, .12f},
                                                                            {.04f, .72f, .78f}}};

/// In the order of BackgroundColour: pale.
constexpr std::array<Rgb, Choices<BackgroundColour>::names.size()> kBackgrounds = {{{.62f, .78f, .97f},
                                                                                    {.66f, .88f, .68f},
                                                                                    {.98f, .72f, .82f},
                                                                                    {.99f, .93f, .60f},
                                                                                    {.80f, .72f, .95f},
                                                                                    {.74f, .75f, .78f}}};

/// How far the paler tone is from white, as a share of the first tone's distance.
constexpr float kPaler = .35f;

}  // namespace

Rgb object_colour(ObjectColour colour) { return kObjects[static_cast<size_t>(colour)]; }

BackgroundTones background_tones(BackgroundColour colour) {
  BackgroundTones tones{.tone = kBackgrounds[static_cast<size_t>(colour)], .paler = {}};
  for (size_t i = 0; i < tones.tone.size(); ++i) tones.paler[i] = 1 - (1 - tones.tone[i]) * kPaler;
  return tones;
}

}  // namespace faststar
