#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "decoders.h"

typedef struct {
  const uint8_t *bytes;
  size_t size;
  size_t position;
  TernImage *image;
} Source;

static void fail(png_structp png, png_const_charp message) {
  tern_image_fail(png_get_error_ptr(png), "damaged PNG: %s", message);
  longjmp(png_jmpbuf(png), 1);
}

// What libpng can mend is no concern of the user.
static void ignore(png_structp png, png_const_charp message) { (void)png, (void)message; }

static void read_bytes(png_structp png, png_bytep target, size_t count) {
  Source *source = png_get_io_ptr(png);
  if (count > source->size - source->position) png_error(png, "truncated");
  memcpy(target, source->bytes + source->position, count);
  source->position += count;
}

/// Everything between two long jumps: no variable changes here that is read after one.
static void read_image(png_structp png, png_infop info, size_t source_size, bool inspect, bool is_mask,
                       TernImage *image, png_bytep **rows) {
  png_read_info(png, info);
  int type = png_get_color_type(png, info);
  image->width = (int)png_get_image_width(png, info);
  image->height = (int)png_get_image_height(png, info);
  image->channels = type & PNG_COLOR_MASK_COLOR ? 3 : 1;
  if (!tern_image_check(image)) longjmp(png_jmpbuf(png), 1);
  png_bytep notes = NULL;
  png_uint_32 note_size = 0;
  int turn = png_get_eXIf_1(png, info, &note_size, &notes)
                 ? tern_exif_orientation(notes, note_size)
                 : 1;
  if (inspect) {
    if (turn >= 5) {
      int width = image->width;
      image->width = image->height, image->height = width;
    }
    return;
  }

  // Deflate's shortest code, 2 bits, stands for 258 bytes, of eight pixels each at the most.
  size_t bits = (size_t)png_get_bit_depth(png, info) * png_get_channels(png, info);
  if (!tern_image_check_size(image, source_size, 8 * 1032 / bits))
    longjmp(png_jmpbuf(png), 1);

  if (is_mask) {
    bool is_indexed = type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_PALETTE;
    if (!is_indexed || png_get_bit_depth(png, info) > 8) {
      tern_image_fail(image, "a mask is grey or has a palette, of at most eight bits");
      longjmp(png_jmpbuf(png), 1);
    }
    image->channels = 1;
    png_set_packing(png);
  } else {
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_strip_alpha(png);
  }
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  size_t row_size = (size_t)image->width * image->channels;
  if (png_get_rowbytes(png, info) != row_size) png_error(png, "unexpected row length");
  if (!tern_image_allocate(image)) longjmp(png_jmpbuf(png), 1);
  *rows = malloc(sizeof(png_bytep) * image->height);
  if (!*rows) png_error(png, "no memory");
  for (int y = 0; y < image->height; y++) (*rows)[y] = image->pixels + y * row_size;
  png_read_image(png, *rows);
  png_read_end(png, NULL);
  if (!tern_image_orient(image, turn, image->width, image->height)) longjmp(png_jmpbuf(png), 1);
}

int tern_png_decode(const uint8_t *bytes, size_t size, bool inspect, bool is_mask,
                    TernImage *image) {
  Source source = {bytes, size, 0, image};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, image, fail, ignore);
  if (!png) return tern_image_fail(image, "libpng cannot start");
  png_infop info = png_create_info_struct(png);
  png_bytep *rows = NULL;
  png_bytep **rows_place = &rows;
  int succeeded = 0;
  if (info && !setjmp(png_jmpbuf(png))) {
    png_set_read_fn(png, &source, read_bytes);
    // Texts and profiles that unpack to more than any honest one.
    png_set_chunk_malloc_max(png, 1 << 23);
    png_set_user_limits(png, 1 << 20, 1 << 20);
    read_image(png, info, size, inspect, is_mask, image, rows_place);
    succeeded = 1;
  }
  free(*rows_place);
  png_destroy_read_struct(&png, &info, NULL);
  return succeeded;
}
