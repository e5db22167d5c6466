#ifndef TERN_DECODERS_H
#define TERN_DECODERS_H

#include <stdarg.h>
#include <stdbool.h>

#include "CImages.h"

/// Each decoder stops after the header where `inspect` is set.
int tern_png_decode(const uint8_t *bytes, size_t size, bool inspect, bool is_mask,
                    TernImage *image);
int tern_jpeg_decode(const uint8_t *bytes, size_t size, double minimum_scale,
                     const TernImagePart *part, bool inspect, TernImage *image);

/// Sets the message and gives 0.
int tern_image_fail(TernImage *image, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// Checks a header's size and takes memory for the pixels; 0 with the message set on failure.
int tern_image_check(TernImage *image);

/// Checks that a file of `size` bytes can hold its pixels, of which a byte stands for `per_byte` at the
/// most; 0 with the message set where it cannot.
int tern_image_check_size(TernImage *image, size_t size, size_t per_byte);
int tern_image_allocate(TernImage *image);

/// The orientation 1…8 in a camera's notes (Exif 2.3, section 4.6), 1 where there is none. The notes
/// begin with their byte order, `II` or `MM`.
int tern_exif_orientation(const uint8_t *notes, size_t size);

/// Turns and mirrors the pixels as an orientation asks; 0 with the message set on failure. At a scale
/// below 1 the extent of the file's picture says where the pixels are afterwards.
int tern_image_orient(TernImage *image, int orientation, double file_width, double file_height);

#endif
