#include "kernels.h"

#include <stddef.h>
#include <string.h>


static const char common[] = {
#embed "common/common.cl"
    , 0};
static const char attention[] = {
#embed "attention/attention.cl"
    , 0};
static const char convolution_direct[] = {
#embed "convolution/direct.cl"
    , 0};
static const char convolution_planes[] = {
#embed "convolution/planes.cl"
    , 0};
static const char elementwise_binary[] = {
#embed "elementwise/binary.cl"
    , 0};
static const char elementwise_dropout[] = {
#embed "elementwise/dropout.cl"
    , 0};
static const char elementwise_unary[] = {
#embed "elementwise/unary.cl"
    , 0};
static const char embedding[] = {
#embed "embedding/embedding.cl"
    , 0};
static const char loss_nll[] = {
#embed "loss/nll_loss.cl"
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
static const char normalization_rows[] = {
#embed "normalization/normalize_rows.cl"
    , 0};
static const char normalization_softmax[] = {
#embed "normalization/softmax.cl"
    , 0};
static const char optimizer_update[] = {
#embed "optimizer/update.cl"
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
static const char reduction_reduce[] = {
#embed "reduction/reduce.cl"
    , 0};

static const struct {
  const char *file;
  const char *source;
} table[] = {
    {"attention/attention", attention},
    {"common/common", common},
    {"convolution/direct", convolution_direct},
    {"convolution/planes", convolution_planes},
    {"elementwise/binary", elementwise_binary},
    {"elementwise/dropout", elementwise_dropout},
    {"elementwise/unary", elementwise_unary},
    {"embedding/embedding", embedding},
    {"loss/nll_loss", loss_nll},
    {"movement/pad", movement_pad},
    {"movement/strided_copy", movement_strided_copy},
    {"normalization/batch_norm", normalization_batch_norm},
    {"normalization/normalize_rows", normalization_rows},
    {"normalization/softmax", normalization_softmax},
    {"optimizer/update", optimizer_update},
    {"pooling/avg_pool", pooling_avg_pool},
    {"pooling/interpolate", pooling_interpolate},
    {"pooling/max_pool", pooling_max_pool},
    {"reduction/reduce", reduction_reduce},
};

const char *tern_kernel_source(const char *file) {
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); ++i) {
    if (strcmp(table[i].file, file) == 0) return table[i].source;
  }
  return NULL;
}
