// Decoding of pictures by libpng and libjpeg. Both report a fault by a long jump, which may not
// cross Swift; here it becomes a return value.
#ifndef CIMAGES_H
#define CIMAGES_H

#include <stddef.h>
#include <stdint.h>

#define TERN_IMAGE_MESSAGE_SIZE 200

/// The most pixels a picture may have. A small file can claim a picture that fills all memory.
#define TERN_IMAGE_PIXEL_LIMIT (1 << 26)

/// A picture of eight bits a channel, row by row, [H, W, C].
typedef struct {
  /// To be freed with `free`; null where there is none.
  uint8_t *pixels;
  int width;
  int height;
  /// 1 for grey; 3 for red, green, blue.
  int channels;
  /// How many of these pixels one of the file's is wide and high: 1, or less where it came smaller.
  double scale;
  /// Where in the picture, in these pixels, the first one is. What is turned or mirrored may begin
  /// before 0: the last pixel of the file stands for fewer of the file's than the others.
  double left;
  double top;
  /// Of the kind of libjpeg's warnings where it read on all the same.
  char warning[TERN_IMAGE_MESSAGE_SIZE];
  /// What is wrong with the file, where decoding failed.
  char message[TERN_IMAGE_MESSAGE_SIZE];
} TernImage;

/// A rectangle of a picture, in its own pixels.
typedef struct {
  int left;
  int top;
  int width;
  int height;
} TernImagePart;

/// Decodes a PNG or JPEG file held in memory; 0 where it is damaged, with `message` set.
///
/// Palettes and low bit depths are expanded, 16 bits are scaled to eight, alpha is dropped, CMYK
/// becomes RGB, and the orientation that a camera noted is applied.
///
/// `minimum_scale`: where above 0, a JPEG may be decoded smaller, at no less than this scale: cheaper
/// than decoding and shrinking.
///
/// `part`: where not null, all that is needed; a JPEG may come without the rest.
int tern_image_decode(const uint8_t *bytes, size_t size, double minimum_scale,
                      const TernImagePart *part, TernImage *image);

/// Decodes a PNG file, grey or with a palette of at most eight bits, whose pixels are class numbers:
/// the values as they are stored, indices into the palette among them.
int tern_mask_decode(const uint8_t *bytes, size_t size, TernImage *image);

/// Reads the size and the channels alone; `pixels` stays null.
int tern_image_inspect(const uint8_t *bytes, size_t size, TernImage *image);

#endif
