#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decoders.h"

int tern_image_fail(TernImage *image, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(image->message, sizeof image->message, format, arguments);
  va_end(arguments);
  free(image->pixels);
  image->pixels = NULL;
  return 0;
}

int tern_image_check(TernImage *image) {
  if (image->width < 1 || image->height < 1)
    return tern_image_fail(image, "a picture of %d×%d pixels", image->width, image->height);
  if ((int64_t)image->width * image->height > TERN_IMAGE_PIXEL_LIMIT)
    return tern_image_fail(image, "%d×%d pixels are more than the %d allowed", image->width,
                           image->height, TERN_IMAGE_PIXEL_LIMIT);
  return 1;
}

int tern_image_check_size(TernImage *image, size_t size, size_t per_byte) {
  // A header takes some bytes too; small pictures are left to their decoder.
  uint64_t pixels = (uint64_t)image->width * image->height;
  if (pixels <= 1 << 20 || pixels / per_byte <= size) return 1;
  return tern_image_fail(image, "truncated: %zu bytes cannot hold %d×%d pixels", size, image->width,
                         image->height);
}

int tern_image_allocate(TernImage *image) {
  image->pixels = malloc((size_t)image->width * image->height * image->channels);
  return image->pixels ? 1 : tern_image_fail(image, "no memory for its pixels");
}

static bool is_png(const uint8_t *bytes, size_t size) {
  static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  return size >= sizeof signature && memcmp(bytes, signature, sizeof signature) == 0;
}

static int dispatch(const uint8_t *bytes, size_t size, double minimum_scale,
                    const TernImagePart *part, bool inspect, TernImage *image) {
  memset(image, 0, sizeof *image);
  image->scale = 1;
  if (size == 0) return tern_image_fail(image, "the file is empty");
  if (is_png(bytes, size)) return tern_png_decode(bytes, size, inspect, false, image);
  if (size >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF)
    return tern_jpeg_decode(bytes, size, minimum_scale, part, inspect, image);
  return tern_image_fail(image, "neither a PNG nor a JPEG file");
}

int tern_image_decode(const uint8_t *bytes, size_t size, double minimum_scale,
                      const TernImagePart *part, TernImage *image) {
  return dispatch(bytes, size, minimum_scale, part, false, image);
}

int tern_mask_decode(const uint8_t *bytes, size_t size, TernImage *image) {
  memset(image, 0, sizeof *image);
  image->scale = 1;
  if (!is_png(bytes, size)) return tern_image_fail(image, "a mask is a PNG file, this is none");
  return tern_png_decode(bytes, size, false, true, image);
}

int tern_image_inspect(const uint8_t *bytes, size_t size, TernImage *image) {
  return dispatch(bytes, size, 0, NULL, true, image);
}
