#include "suites.h"

static const char alexnet[] = {
#embed "alexnet.json"
    , 0};
static const char conv[] = {
#embed "conv.json"
    , 0};
static const char gemm[] = {
#embed "gemm.json"
    , 0};
static const char lenet5[] = {
#embed "lenet5.json"
    , 0};
static const char ops[] = {
#embed "ops.json"
    , 0};
static const char resnet50[] = {
#embed "resnet50.json"
    , 0};
static const char vgg16[] = {
#embed "vgg16.json"
    , 0};

static const struct {
  const char *name;
  const char *text;
} table[] = {
    {"alexnet", alexnet},
    {"conv", conv},
    {"gemm", gemm},
    {"lenet5", lenet5},
    {"ops", ops},
    {"resnet50", resnet50},
    {"vgg16", vgg16},
};

size_t tern_suite_count(void) { return sizeof(table) / sizeof(table[0]); }

const char *tern_suite_name(size_t index) { return table[index].name; }

const char *tern_suite_text(size_t index) { return table[index].text; }
