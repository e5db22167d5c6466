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
  /// Whether the file ended before it said so.
  bool is_past_end;
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

/// libjpeg fills with grey what a truncated file lacks, and only warns: that is no picture any more; one
/// that lacks its end mark alone is. Of everything else that it warns of it makes the best, as other
/// readers do: the first is noted.
static void heed_warning(j_common_ptr info, int level) {
  if (level >= 0) return;
  ErrorState *state = (ErrorState *)info->err;
  if (info->err->msg_code == JWRN_JPEG_EOF) {
    state->is_past_end = true;
    if (((j_decompress_ptr)info)->output_height == 0) fail_with(info, "truncated");
  }
  // Pixels were wanted of what is not there.
  if (state->is_past_end && info->err->msg_code == JWRN_HIT_MARKER) fail_with(info, "truncated");
  if (info->err->num_warnings++ > 0) return;
  char text[JMSG_LENGTH_MAX];
  state->manager.format_message(info, text);
  snprintf(state->image->warning, sizeof state->image->warning, "%s", text);
}

/// A progressive file may repeat its scans without end, each over the whole picture. Encoders make
/// about ten; of a small picture some more cost nothing.
static void watch_scans(j_common_ptr info) {
  j_decompress_ptr decompress = (j_decompress_ptr)info;
  int64_t pixels = (int64_t)decompress->image_width * decompress->image_height;
  int64_t limit = ((int64_t)1 << 28) / (pixels + 1);
  limit = limit < 20 ? 20 : limit > 200 ? 200 : limit;
  if (decompress->input_scan_number > limit) fail_with(info, "more scans than any encoder makes");
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
  double scale = info->scale_num / 8.0;
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

static void read_image(j_decompress_ptr info, const uint8_t *bytes, size_t size, double minimum_scale,
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

  // A block of 64 pixels takes a bit at the least; arithmetic codes take any part of one.
  if (!info->arith_code && !tern_image_check_size(image, size, 1024)) longjmp(state->jump, 1);

  bool has_inks = info->num_components == 4;
  info->out_color_space = has_inks ? JCS_CMYK : image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  info->scale_denom = 8;
  info->scale_num = 8;
  // Only halves have vectorised transforms.
  while (minimum_scale > 0 && info->scale_num > 1 && info->scale_num / 16.0 >= minimum_scale)
    info->scale_num /= 2;
  jpeg_start_decompress(info);
  image->scale = info->scale_num / 8.0;
  TernImagePart part = {0, 0, (int)info->output_width, (int)info->output_height};
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
  if (!tern_image_orient(image, turn, info->image_width, info->image_height))
    longjmp(state->jump, 1);
}

int tern_jpeg_decode(const uint8_t *bytes, size_t size, double minimum_scale,
                     const TernImagePart *part, bool inspect, TernImage *image) {
  struct jpeg_decompress_struct info;
  struct jpeg_progress_mgr progress = {.progress_monitor = watch_scans};
  ErrorState state;
  memset(&info, 0, sizeof info);
  info.err = jpeg_std_error(&state.manager);
  state.manager.error_exit = fail;
  state.manager.emit_message = heed_warning;
  state.image = image;
  state.is_past_end = false;
  int succeeded = 0;
  if (!setjmp(state.jump)) {
    jpeg_create_decompress(&info);
    info.progress = &progress;
    read_image(&info, bytes, size, minimum_scale, part, inspect, image);
    succeeded = 1;
  }
  jpeg_destroy_decompress(&info);
  return succeeded;
}
