// oneDNN's C API as TernCPU calls it. What differs between its versions (2.x describes an operation
// first and makes a primitive descriptor of the description) stays in this file.
#pragma once
#include <dnnl.h>
#include <stdbool.h>

// What an argument of a primitive is.
static const int tern_dnnl_source = DNNL_ARG_SRC;
static const int tern_dnnl_destination = DNNL_ARG_DST;
static const int tern_dnnl_weights = DNNL_ARG_WEIGHTS;
static const int tern_dnnl_bias = DNNL_ARG_BIAS;
static const int tern_dnnl_scratchpad = DNNL_ARG_SCRATCHPAD;
static const int tern_dnnl_source_gradient = DNNL_ARG_DIFF_SRC;
static const int tern_dnnl_destination_gradient = DNNL_ARG_DIFF_DST;
static const int tern_dnnl_weights_gradient = DNNL_ARG_DIFF_WEIGHTS;
static const int tern_dnnl_bias_gradient = DNNL_ARG_DIFF_BIAS;

// How a kernel moves over the two spatial axes; oneDNN counts a dense kernel as dilation 0.
typedef struct {
  dnnl_dim_t strides[2];
  dnnl_dim_t dilations[2];
  dnnl_dim_t padding_before[2];
  dnnl_dim_t padding_after[2];
} tern_dnnl_window;

static inline dnnl_status_t tern_dnnl_convolution_forward(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, const_dnnl_primitive_attr_t attributes,
    dnnl_alg_kind_t algorithm, const dnnl_memory_desc_t *source,
    const dnnl_memory_desc_t *weights, const dnnl_memory_desc_t *bias,
    const dnnl_memory_desc_t *destination, const tern_dnnl_window *window) {
  dnnl_convolution_desc_t description;
  dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
      &description, dnnl_forward_training, algorithm, source, weights, bias,
      destination, window->strides, window->dilations, window->padding_before,
      window->padding_after);
  if (status != dnnl_success) return status;
  return dnnl_primitive_desc_create(result, &description, attributes, engine, NULL);
}

static inline dnnl_status_t tern_dnnl_convolution_backward_data(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, const_dnnl_primitive_attr_t attributes,
    dnnl_alg_kind_t algorithm, const dnnl_memory_desc_t *source_gradient,
    const dnnl_memory_desc_t *weights, const dnnl_memory_desc_t *destination_gradient,
    const tern_dnnl_window *window, const_dnnl_primitive_desc_t forward) {
  dnnl_convolution_desc_t description;
  dnnl_status_t status = dnnl_dilated_convolution_backward_data_desc_init(
      &description, algorithm, source_gradient, weights, destination_gradient,
      window->strides, window->dilations, window->padding_before,
      window->padding_after);
  if (status != dnnl_success) return status;
  return dnnl_primitive_desc_create(result, &description, attributes, engine, forward);
}

static inline dnnl_status_t tern_dnnl_convolution_backward_weights(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, const_dnnl_primitive_attr_t attributes,
    dnnl_alg_kind_t algorithm, const dnnl_memory_desc_t *source,
    const dnnl_memory_desc_t *weights_gradient, const dnnl_memory_desc_t *bias_gradient,
    const dnnl_memory_desc_t *destination_gradient, const tern_dnnl_window *window,
    const_dnnl_primitive_desc_t forward) {
  dnnl_convolution_desc_t description;
  dnnl_status_t status = dnnl_dilated_convolution_backward_weights_desc_init(
      &description, algorithm, source, weights_gradient, bias_gradient,
      destination_gradient, window->strides, window->dilations, window->padding_before,
      window->padding_after);
  if (status != dnnl_success) return status;
  return dnnl_primitive_desc_create(result, &description, attributes, engine, forward);
}

static inline dnnl_status_t tern_dnnl_matmul(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, const_dnnl_primitive_attr_t attributes,
    const dnnl_memory_desc_t *source, const dnnl_memory_desc_t *weights,
    const dnnl_memory_desc_t *bias, const dnnl_memory_desc_t *destination) {
  dnnl_matmul_desc_t description;
  dnnl_status_t status = dnnl_matmul_desc_init(&description, source, weights, bias, destination);
  if (status != dnnl_success) return status;
  return dnnl_primitive_desc_create(result, &description, attributes, engine, NULL);
}

// The descriptor of an argument of a primitive; NULL where the primitive has none such.
static inline const dnnl_memory_desc_t *tern_dnnl_argument(
    const_dnnl_primitive_desc_t primitive, int argument) {
  return dnnl_primitive_desc_query_md(primitive, dnnl_query_exec_arg_md, argument);
}

// The bytes of scratch memory a primitive needs while it runs.
static inline size_t tern_dnnl_scratchpad_size(const_dnnl_primitive_desc_t primitive) {
  const dnnl_memory_desc_t *scratchpad =
      dnnl_primitive_desc_query_md(primitive, dnnl_query_scratchpad_md, 0);
  return scratchpad ? dnnl_memory_desc_get_size(scratchpad) : 0;
}

// The name of the implementation that was chosen.
static inline const char *tern_dnnl_implementation(const_dnnl_primitive_desc_t primitive) {
  const char *name = "";
  dnnl_primitive_desc_query(primitive, dnnl_query_impl_info_str, 0, &name);
  return name;
}

// How a blocked format stores its elements: the distance between the outer blocks along each axis,
// and the axes and sizes of the inner blocks, outermost first. Returns the number of inner blocks,
// or -1 where the format is of another kind.
static inline int tern_dnnl_blocking(
    const dnnl_memory_desc_t *memory, dnnl_dim_t *strides, dnnl_dim_t *inner_sizes,
    dnnl_dim_t *inner_axes) {
  if (memory->format_kind != dnnl_blocked) return -1;
  const dnnl_blocking_desc_t *blocking = &memory->format_desc.blocking;
  for (int i = 0; i < memory->ndims; ++i) strides[i] = blocking->strides[i];
  for (int i = 0; i < blocking->inner_nblks; ++i) {
    inner_sizes[i] = blocking->inner_blks[i];
    inner_axes[i] = blocking->inner_idxs[i];
  }
  return blocking->inner_nblks;
}
