#include <stdlib.h>
#include <string.h>

#include "decoders.h"

int tern_exif_orientation(const uint8_t *data, size_t size) {
  if (size < 8) return 1;
  bool is_little = data[0] == 'I';
#define SHORT(p) (is_little ? data[p] | data[(p) + 1] << 8 : data[p] << 8 | data[(p) + 1])
  size_t start = is_little ? (size_t)(SHORT(4) | (uint32_t)SHORT(6) << 16)
                           : (size_t)((uint32_t)SHORT(4) << 16 | SHORT(6));
  if (start > size || size - start < 2) return 1;
  int count = SHORT(start);
  for (int i = 0; i < count && size - start - 2 >= 12 * ((size_t)i + 1); i++) {
    size_t entry = start + 2 + 12 * (size_t)i;
    if (SHORT(entry) == 0x0112) {
      int value = SHORT(entry + 8);
      return value >= 1 && value <= 8 ? value : 1;
    }
  }
#undef SHORT
  return 1;
}

int tern_image_orient(TernImage *image, int orientation, double file_width, double file_height) {
  if (orientation <= 1) return 1;
  // Mirrored, the pixel that stands for fewer of the file's comes first.
  double before_x = file_width * image->scale - image->width;
  double before_y = file_height * image->scale - image->height;
  switch (orientation) {
    case 2: image->left = before_x; break;
    case 3: image->left = before_x, image->top = before_y; break;
    case 4: image->top = before_y; break;
    case 6: image->left = before_y; break;
    case 7: image->left = before_y, image->top = before_x; break;
    case 8: image->top = before_x; break;
    default: break;
  }
  int w = image->width, h = image->height, channels = image->channels;
  bool is_turned = orientation >= 5;
  TernImage source = *image;
  image->pixels = NULL;
  if (is_turned) image->width = h, image->height = w;
  if (!tern_image_allocate(image)) {
    free(source.pixels);
    return 0;
  }
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++) {
      int sx = is_turned ? y : x, sy = is_turned ? x : y;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        sx = w - 1 - sx;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        sy = h - 1 - sy;
      memcpy(image->pixels + ((size_t)y * image->width + x) * channels,
             source.pixels + ((size_t)sy * w + sx) * channels, channels);
    }
  }
  free(source.pixels);
  return 1;
}
