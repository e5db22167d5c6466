// Mesa's llvmpipe ends a loop after 65,535 rounds: what a work-item counts beyond is lost.
//
//   cc llvmpipe_loop.c -lOpenCL -o llvmpipe_loop
//   OCL_ICD_VENDORS=... RUSTICL_ENABLE=llvmpipe ./llvmpipe_loop     # exit code 1 where the fault is there
//
// Seen with Mesa 22.3.6 (LLVM 15): "counted 65535 of 70000". The limit is LP_MAX_TGSI_LOOP_ITERATIONS in
// src/gallium/auxiliary/gallivm/lp_bld_limits.h.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdio.h>

static const char *source =
    "__kernel void count(__global const int *indices, __global int *sum, const int n) {\n"
    "  int found = 0;\n"
    "  for (int i = 0; i < n; ++i) { if (indices[i] == 1) ++found; }\n"
    "  sum[get_global_id(0)] = found;\n"
    "}\n";

#define CHECK(call)                                  \
  if ((code = (call)) != CL_SUCCESS) {               \
    fprintf(stderr, "%s: error %d\n", #call, code);  \
    return 2;                                        \
  }

int main(void) {
  enum { n = 70000 };
  static cl_int indices[n];
  for (int i = 0; i < n; ++i) indices[i] = 1;
  cl_platform_id platform;
  cl_device_id device;
  cl_int code, counted = 0, terms = n;
  CHECK(clGetPlatformIDs(1, &platform, NULL));
  CHECK(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL));
  cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  CHECK(code);
  cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
  CHECK(code);
  cl_program program = clCreateProgramWithSource(context, 1, &source, NULL, &code);
  CHECK(code);
  CHECK(clBuildProgram(program, 1, &device, "", NULL, NULL));
  cl_kernel kernel = clCreateKernel(program, "count", &code);
  CHECK(code);
  cl_mem input = clCreateBuffer(
      context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof indices, indices, &code);
  CHECK(code);
  cl_mem output = clCreateBuffer(context, CL_MEM_WRITE_ONLY, 4, NULL, &code);
  CHECK(code);
  CHECK(clSetKernelArg(kernel, 0, sizeof input, &input));
  CHECK(clSetKernelArg(kernel, 1, sizeof output, &output));
  CHECK(clSetKernelArg(kernel, 2, sizeof terms, &terms));
  size_t one = 1;
  CHECK(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL));
  CHECK(clEnqueueReadBuffer(queue, output, CL_TRUE, 0, 4, &counted, 0, NULL, NULL));
  printf("counted %d of %d\n", counted, n);
  return counted != n;
}
