// jpeglib.h needs stdio.h before it.
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "decoders.h"

typedef struct {
  struct jpeg_error_mgr manager;
  jmp_buf jump;
  TernImage *image;
} ErrorState;

static void fail(j_common_ptr info) {
  ErrorState *state = (ErrorState *)info->err;
  char text[JMSG_LENGTH_MAX];
  state->manager.format_message(info, text);
  tern_image_fail(state->image, "damaged JPEG: %s", text);
  longjmp(state->jump, 1);
}

static void fail_with(j_common_ptr info, const char *message) {
  ErrorState *state = (ErrorState *)info->err;
  tern_image_fail(state->image, "damaged JPEG: %s", message);
  longjmp(state->jump, 1);
}

/// libjpeg fills with grey what a truncated file lacks, and only warns.
static void heed_warning(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF: fail_with(info, "truncated");
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE: fail(info);
    default: break;
  }
}

/// A progressive file may repeat its scans without end, each over the whole picture.
static void watch_scans(j_common_ptr info) {
  if (((j_decompress_ptr)info)->input_scan_number > 200) fail_with(info, "more than 200 scans");
}

/// The orientation 1…8 that a camera noted, 1 where it did not.
static int orientation(jpeg_saved_marker_ptr marker) {
  for (; marker; marker = marker->next) {
    if (marker->marker == JPEG_APP0 + 1 && marker->data_length >= 6 &&
        memcmp(marker->data, "Exif\0\0", 6) == 0)
      return tern_exif_orientation(marker->data + 6, marker->data_length - 6);
  }
  return 1;
}

/// Adobe's programs write inverted ink.
static void convert_inks(const uint8_t *inks, uint8_t *target, int width, bool is_inverted) {
  for (int x = 0; x < width; x++, inks += 4, target += 3) {
    int paper = is_inverted ? inks[3] : 255 - inks[3];
    for (int i = 0; i < 3; i++) {
      int ink = is_inverted ? 255 - inks[i] : inks[i];
      target[i] = paper - (ink * paper + 127) / 255;
    }
  }
}

/// Leaves out the columns before and after a part; rows are left out by who reads them. The part comes
/// back at the scale of the output, as wide as libjpeg makes it.
static void crop(j_decompress_ptr info, TernImagePart *part) {
  double scale = (double)info->output_width / info->image_width;
  int left = (int)(part->left * scale), top = (int)(part->top * scale);
  int right = (int)((part->left + part->width) * scale) + 2;
  int bottom = (int)((part->top + part->height) * scale) + 2;
  left = left < 0 ? 0 : left, top = top < 0 ? 0 : top;
  if (right > (int)info->output_width) right = info->output_width;
  if (bottom > (int)info->output_height) bottom = info->output_height;
  if (left >= right || top >= bottom) fail_with((j_common_ptr)info, "no such part");
  JDIMENSION first = left, width = right - left;
  jpeg_crop_scanline(info, &first, &width);
  *part = (TernImagePart){(int)first, top, (int)width, bottom - top};
}

static void read_image(j_decompress_ptr info, const uint8_t *bytes, size_t size, int minimum_side,
                       const TernImagePart *wanted, bool inspect, TernImage *image) {
  jpeg_mem_src(info, bytes, size);
  jpeg_save_markers(info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(info, TRUE);
  image->width = info->image_width;
  image->height = info->image_height;
  image->channels = info->jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
  ErrorState *state = (ErrorState *)info->err;
  if (!tern_image_check(image)) longjmp(state->jump, 1);
  int turn = orientation(info->marker_list);
  if (inspect) {
    if (turn >= 5) image->width = info->image_height, image->height = info->image_width;
    return;
  }

  bool has_inks = info->num_components == 4;
  info->out_color_space = has_inks ? JCS_CMYK : image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  int side = image->width < image->height ? image->width : image->height;
  if (minimum_side > 0) {
    // Only halves have vectorised transforms.
    info->scale_denom = 8;
    info->scale_num = 8;
    while (info->scale_num > 1 && (side * (int)info->scale_num / 2 + 7) / 8 >= minimum_side)
      info->scale_num /= 2;
  }
  jpeg_start_decompress(info);
  image->full_width = info->output_width;
  image->full_height = info->output_height;
  TernImagePart part = {0, 0, image->full_width, image->full_height};
  // What a camera has turned is rare, and its parts are elsewhere in the file.
  if (wanted && turn <= 1) {
    part = *wanted;
    crop(info, &part);
  }
  image->left = part.left, image->top = part.top;
  image->width = part.width, image->height = part.height;
  if (!tern_image_allocate(image)) longjmp(state->jump, 1);
  // libjpeg's own memory, so that it goes with `info` after a long jump.
  JSAMPARRAY inks = has_inks ? info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE,
                                                       info->output_width * 4, 1)
                             : NULL;
  if (part.top > 0) jpeg_skip_scanlines(info, part.top);
  for (int y = 0; y < part.height; y++) {
    uint8_t *row = image->pixels + (size_t)y * image->width * image->channels;
    jpeg_read_scanlines(info, has_inks ? inks : &row, 1);
    if (has_inks) convert_inks(inks[0], row, image->width, info->saw_Adobe_marker);
  }
  // Of a part, the rest of the file is not read.
  if (info->output_scanline == info->output_height) jpeg_finish_decompress(info);
  if (!tern_image_orient(image, turn)) longjmp(state->jump, 1);
  if (turn >= 5) image->full_width = image->width, image->full_height = image->height;
}

int tern_jpeg_decode(const uint8_t *bytes, size_t size, int minimum_side,
                     const TernImagePart *part, bool inspect, TernImage *image) {
  struct jpeg_decompress_struct info;
  struct jpeg_progress_mgr progress = {.progress_monitor = watch_scans};
  ErrorState state;
  memset(&info, 0, sizeof info);
  info.err = jpeg_std_error(&state.manager);
  state.manager.error_exit = fail;
  state.manager.emit_message = heed_warning;
  state.image = image;
  int succeeded = 0;
  if (!setjmp(state.jump)) {
    jpeg_create_decompress(&info);
    info.progress = &progress;
    read_image(&info, bytes, size, minimum_side, part, inspect, image);
    succeeded = 1;
  }
  jpeg_destroy_decompress(&info);
  return succeeded;
}
