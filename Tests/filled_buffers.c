// Writes NaN into every OpenCL buffer when it is made: what is computed of memory that nobody wrote shows in
// results, and a simulator has nothing to call uninitialised. Loaded before a program by LD_PRELOAD; see
// Tests/oclgrind.sh.
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdlib.h>

typedef cl_mem (*Create)(cl_context, cl_mem_flags, size_t, void *, cl_int *);

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code) {
  const cl_mem buffer = ((Create)dlsym(RTLD_NEXT, "clCreateBuffer"))(context, flags, size, host, code);
  cl_device_id device;
  if (!buffer || host || clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof device, &device, NULL)) return buffer;
  const cl_uint nan = 0x7fc00000;
  cl_uint *numbers = malloc(size + sizeof nan);
  const cl_command_queue queue = clCreateCommandQueue(context, device, 0, NULL);
  // A program whose buffers are not filled computes as well, and is reported as before.
  if (!numbers || !queue) return buffer;
  for (size_t i = 0; i <= size / sizeof nan; ++i) numbers[i] = nan;
  clEnqueueWriteBuffer(queue, buffer, CL_TRUE, 0, size, numbers, 0, NULL, NULL);
  clReleaseCommandQueue(queue);
  free(numbers);
  return buffer;
}
