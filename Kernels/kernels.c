#include "kernels.h"

#include <stddef.h>
#include <string.h>

static const char attention_attention[] = {
#embed "attention/attention.cl"
    , 0};
static const char attention_attention_threads[] = {
#embed "attention/attention_threads.cl"
    , 0};
static const char benchmark_peak[] = {
#embed "benchmark/peak.cl"
    , 0};
static const char common_common[] = {
#embed "common/common.cl"
    , 0};
static const char common_philox[] = {
#embed "common/philox.cl"
    , 0};
static const char common_storage[] = {
#embed "common/storage.cl"
    , 0};
static const char common_strided[] = {
#embed "common/strided.cl"
    , 0};
static const char common_together[] = {
#embed "common/together.cl"
    , 0};
static const char convolution_columns[] = {
#embed "convolution/columns.cl"
    , 0};
static const char convolution_copies_threads[] = {
#embed "convolution/copies_threads.cl"
    , 0};
static const char convolution_depthwise[] = {
#embed "convolution/depthwise.cl"
    , 0};
static const char convolution_depthwise_threads[] = {
#embed "convolution/depthwise_threads.cl"
    , 0};
static const char convolution_direct_threads[] = {
#embed "convolution/direct_threads.cl"
    , 0};
static const char convolution_direct_weight_threads[] = {
#embed "convolution/direct_weight_threads.cl"
    , 0};
static const char convolution_gather[] = {
#embed "convolution/gather.cl"
    , 0};
static const char convolution_im2col[] = {
#embed "convolution/im2col.cl"
    , 0};
static const char convolution_packed_planes[] = {
#embed "convolution/packed_planes.cl"
    , 0};
static const char convolution_panels[] = {
#embed "convolution/panels.cl"
    , 0};
static const char convolution_planes[] = {
#embed "convolution/planes.cl"
    , 0};
static const char convolution_planes_backward_weight[] = {
#embed "convolution/planes_backward_weight.cl"
    , 0};
static const char convolution_taps[] = {
#embed "convolution/taps.cl"
    , 0};
static const char convolution_tensor_implicit_gemm[] = {
#embed "convolution/tensor_implicit_gemm.cl"
    , 0};
static const char convolution_tile_convolution[] = {
#embed "convolution/tile_convolution.cl"
    , 0};
static const char convolution_tile_convolution_weight[] = {
#embed "convolution/tile_convolution_weight.cl"
    , 0};
static const char convolution_tile_gather[] = {
#embed "convolution/tile_gather.cl"
    , 0};
static const char convolution_tile_weights[] = {
#embed "convolution/tile_weights.cl"
    , 0};
static const char convolution_winograd[] = {
#embed "convolution/winograd.cl"
    , 0};
static const char convolution_winograd_tiles[] = {
#embed "convolution/winograd_tiles.cl"
    , 0};
static const char convolution_winograd_transforms[] = {
#embed "convolution/winograd_transforms.cl"
    , 0};
static const char elementwise_binary[] = {
#embed "elementwise/binary.cl"
    , 0};
static const char elementwise_binary_functions[] = {
#embed "elementwise/binary_functions.cl"
    , 0};
static const char elementwise_cast[] = {
#embed "elementwise/cast.cl"
    , 0};
static const char elementwise_dropout[] = {
#embed "elementwise/dropout.cl"
    , 0};
static const char elementwise_pixel_values[] = {
#embed "elementwise/pixel_values.cl"
    , 0};
static const char elementwise_random[] = {
#embed "elementwise/random.cl"
    , 0};
static const char elementwise_unary[] = {
#embed "elementwise/unary.cl"
    , 0};
static const char elementwise_unary_functions[] = {
#embed "elementwise/unary_functions.cl"
    , 0};
static const char embedding_embedding[] = {
#embed "embedding/embedding.cl"
    , 0};
static const char loss_class_terms[] = {
#embed "loss/class_terms.cl"
    , 0};
static const char loss_cross_entropy[] = {
#embed "loss/cross_entropy.cl"
    , 0};
static const char loss_nll_loss[] = {
#embed "loss/nll_loss.cl"
    , 0};
static const char matmul_epilogue[] = {
#embed "matmul/epilogue.cl"
    , 0};
static const char matmul_gemm[] = {
#embed "matmul/gemm.cl"
    , 0};
static const char matmul_sum_parts[] = {
#embed "matmul/sum_parts.cl"
    , 0};
static const char matmul_tensor_core[] = {
#embed "matmul/tensor_core.cl"
    , 0};
static const char matmul_tensor_gemm[] = {
#embed "matmul/tensor_gemm.cl"
    , 0};
static const char matmul_tensor_tile[] = {
#embed "matmul/tensor_tile.cl"
    , 0};
static const char matmul_tile[] = {
#embed "matmul/tile.cl"
    , 0};
static const char matmul_tile_gemm[] = {
#embed "matmul/tile_gemm.cl"
    , 0};
static const char movement_pad[] = {
#embed "movement/pad.cl"
    , 0};
static const char movement_strided_copy[] = {
#embed "movement/strided_copy.cl"
    , 0};
static const char normalization_batch_norm[] = {
#embed "normalization/batch_norm.cl"
    , 0};
static const char normalization_batch_norm_threads[] = {
#embed "normalization/batch_norm_threads.cl"
    , 0};
static const char normalization_normalize_rows[] = {
#embed "normalization/normalize_rows.cl"
    , 0};
static const char normalization_relu_gate[] = {
#embed "normalization/relu_gate.cl"
    , 0};
static const char normalization_softmax[] = {
#embed "normalization/softmax.cl"
    , 0};
static const char optimizer_update[] = {
#embed "optimizer/update.cl"
    , 0};
static const char pooling_adaptive_avg_pool[] = {
#embed "pooling/adaptive_avg_pool.cl"
    , 0};
static const char pooling_avg_pool[] = {
#embed "pooling/avg_pool.cl"
    , 0};
static const char pooling_interpolate[] = {
#embed "pooling/interpolate.cl"
    , 0};
static const char pooling_max_pool[] = {
#embed "pooling/max_pool.cl"
    , 0};
static const char pooling_max_unpool[] = {
#embed "pooling/max_unpool.cl"
    , 0};
static const char pooling_pool_threads[] = {
#embed "pooling/pool_threads.cl"
    , 0};
static const char pooling_window[] = {
#embed "pooling/window.cl"
    , 0};
static const char reduction_reduce[] = {
#embed "reduction/reduce.cl"
    , 0};
static const char reduction_sum_of_tensors[] = {
#embed "reduction/sum_of_tensors.cl"
    , 0};

static const struct {
  const char *file;
  const char *source;
} table[] = {
    {"attention/attention", attention_attention},
    {"attention/attention_threads", attention_attention_threads},
    {"benchmark/peak", benchmark_peak},
    {"common/common", common_common},
    {"common/philox", common_philox},
    {"common/storage", common_storage},
    {"common/strided", common_strided},
    {"common/together", common_together},
    {"convolution/columns", convolution_columns},
    {"convolution/copies_threads", convolution_copies_threads},
    {"convolution/depthwise", convolution_depthwise},
    {"convolution/depthwise_threads", convolution_depthwise_threads},
    {"convolution/direct_threads", convolution_direct_threads},
    {"convolution/direct_weight_threads", convolution_direct_weight_threads},
    {"convolution/gather", convolution_gather},
    {"convolution/im2col", convolution_im2col},
    {"convolution/packed_planes", convolution_packed_planes},
    {"convolution/panels", convolution_panels},
    {"convolution/planes", convolution_planes},
    {"convolution/planes_backward_weight", convolution_planes_backward_weight},
    {"convolution/taps", convolution_taps},
    {"convolution/tensor_implicit_gemm", convolution_tensor_implicit_gemm},
    {"convolution/tile_convolution", convolution_tile_convolution},
    {"convolution/tile_convolution_weight", convolution_tile_convolution_weight},
    {"convolution/tile_gather", convolution_tile_gather},
    {"convolution/tile_weights", convolution_tile_weights},
    {"convolution/winograd", convolution_winograd},
    {"convolution/winograd_tiles", convolution_winograd_tiles},
    {"convolution/winograd_transforms", convolution_winograd_transforms},
    {"elementwise/binary", elementwise_binary},
    {"elementwise/binary_functions", elementwise_binary_functions},
    {"elementwise/cast", elementwise_cast},
    {"elementwise/dropout", elementwise_dropout},
    {"elementwise/pixel_values", elementwise_pixel_values},
    {"elementwise/random", elementwise_random},
    {"elementwise/unary", elementwise_unary},
    {"elementwise/unary_functions", elementwise_unary_functions},
    {"embedding/embedding", embedding_embedding},
    {"loss/class_terms", loss_class_terms},
    {"loss/cross_entropy", loss_cross_entropy},
    {"loss/nll_loss", loss_nll_loss},
    {"matmul/epilogue", matmul_epilogue},
    {"matmul/gemm", matmul_gemm},
    {"matmul/sum_parts", matmul_sum_parts},
    {"matmul/tensor_core", matmul_tensor_core},
    {"matmul/tensor_gemm", matmul_tensor_gemm},
    {"matmul/tensor_tile", matmul_tensor_tile},
    {"matmul/tile", matmul_tile},
    {"matmul/tile_gemm", matmul_tile_gemm},
    {"movement/pad", movement_pad},
    {"movement/strided_copy", movement_strided_copy},
    {"normalization/batch_norm", normalization_batch_norm},
    {"normalization/batch_norm_threads", normalization_batch_norm_threads},
    {"normalization/normalize_rows", normalization_normalize_rows},
    {"normalization/relu_gate", normalization_relu_gate},
    {"normalization/softmax", normalization_softmax},
    {"optimizer/update", optimizer_update},
    {"pooling/adaptive_avg_pool", pooling_adaptive_avg_pool},
    {"pooling/avg_pool", pooling_avg_pool},
    {"pooling/interpolate", pooling_interpolate},
    {"pooling/max_pool", pooling_max_pool},
    {"pooling/max_unpool", pooling_max_unpool},
    {"pooling/pool_threads", pooling_pool_threads},
    {"pooling/window", pooling_window},
    {"reduction/reduce", reduction_reduce},
    {"reduction/sum_of_tensors", reduction_sum_of_tensors},
};

const char *tern_kernel_source(const char *file) {
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); ++i) {
    if (strcmp(table[i].file, file) == 0) return table[i].source;
  }
  return NULL;
}
