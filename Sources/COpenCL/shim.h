#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/opencl.h>

// OpenCL 1.2's call, which every driver has; later versions only mark it deprecated.
static inline cl_command_queue tern_create_queue(cl_context context, cl_device_id device, cl_int *code) {
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
  return clCreateCommandQueue(context, device, 0, code);
#pragma clang diagnostic pop
}

// Macros that Swift does not import.
static const cl_device_type tern_device_type_all = CL_DEVICE_TYPE_ALL;
static const cl_device_type tern_device_type_cpu = CL_DEVICE_TYPE_CPU;
static const cl_device_type tern_device_type_gpu = CL_DEVICE_TYPE_GPU;
