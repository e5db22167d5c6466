// Stands before the OpenCL library: a program's own definitions win over those of shared libraries. Each
// function counts and passes the call on.
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "opencl_calls.h"

#include <CL/opencl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

// Of its own for each thread: tests run side by side.
static _Thread_local struct opencl_calls calls;

struct opencl_calls opencl_calls_of_this_thread(void) { return calls; }

static _Thread_local bool refuses_contexts;

void opencl_refuse_contexts_of_this_thread(bool refuses) { refuses_contexts = refuses; }

static void *next(const char *name) {
  void *function = dlsym(RTLD_NEXT, name);
  if (!function) {
    fprintf(stderr, "no OpenCL library has %s\n", name);
    abort();
  }
  return function;
}

// Defines `name` with what it counts.
#define COUNTED(result, name, parameters, arguments, count) \
  CL_API_ENTRY result CL_API_CALL name parameters {         \
    static _Atomic(__typeof__(&name)) real;                \
    if (!real) real = next(#name);                          \
    count;                                                  \
    return real arguments;                                  \
  }
#define IS_ASKED(event) calls.events += (event) != NULL

CL_API_ENTRY cl_context CL_API_CALL clCreateContext(
    const cl_context_properties *properties, cl_uint count, const cl_device_id *devices,
    void (CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *data, cl_int *code) {
  static _Atomic(__typeof__(&clCreateContext)) real;
  if (!real) real = next("clCreateContext");
  if (refuses_contexts) {
    if (code) *code = CL_OUT_OF_RESOURCES;
    return NULL;
  }
  return real(properties, count, devices, notify, data, code);
}

COUNTED(cl_mem, clCreateBuffer,
        (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code),
        (context, flags, size, host, code), ++calls.allocations)
COUNTED(cl_mem, clCreateSubBuffer,
        (cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type, const void *info,
         cl_int *code),
        (buffer, flags, type, info, code), ++calls.allocations)
COUNTED(cl_mem, clCreateImage,
        (cl_context context, cl_mem_flags flags, const cl_image_format *format,
         const cl_image_desc *description, void *host, cl_int *code),
        (context, flags, format, description, host, code), ++calls.allocations)
COUNTED(void *, clSVMAlloc,
        (cl_context context, cl_svm_mem_flags flags, size_t size, cl_uint alignment),
        (context, flags, size, alignment), ++calls.allocations)

COUNTED(cl_event, clCreateUserEvent, (cl_context context, cl_int *code), (context, code),
        ++calls.events)
COUNTED(cl_int, clEnqueueMarkerWithWaitList,
        (cl_command_queue queue, cl_uint count, const cl_event *list, cl_event *event),
        (queue, count, list, event), IS_ASKED(event))
COUNTED(cl_int, clEnqueueNDRangeKernel,
        (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
         const size_t *global, const size_t *local, cl_uint count, const cl_event *list,
         cl_event *event),
        (queue, kernel, dimensions, offset, global, local, count, list, event),
        (++calls.launches, IS_ASKED(event)))
COUNTED(cl_int, clEnqueueCopyBuffer,
        (cl_command_queue queue, cl_mem source, cl_mem target, size_t source_offset,
         size_t target_offset, size_t size, cl_uint count, const cl_event *list, cl_event *event),
        (queue, source, target, source_offset, target_offset, size, count, list, event),
        IS_ASKED(event))
COUNTED(cl_int, clEnqueueFillBuffer,
        (cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_size,
         size_t offset, size_t size, cl_uint count, const cl_event *list, cl_event *event),
        (queue, buffer, pattern, pattern_size, offset, size, count, list, event), IS_ASKED(event))

COUNTED(cl_int, clEnqueueReadBuffer,
        (cl_command_queue queue, cl_mem buffer, cl_bool blocks, size_t offset, size_t size,
         void *target, cl_uint count, const cl_event *list, cl_event *event),
        (queue, buffer, blocks, offset, size, target, count, list, event),
        (calls.waits += blocks != CL_FALSE, IS_ASKED(event)))
COUNTED(cl_int, clEnqueueWriteBuffer,
        (cl_command_queue queue, cl_mem buffer, cl_bool blocks, size_t offset, size_t size,
         const void *source, cl_uint count, const cl_event *list, cl_event *event),
        (queue, buffer, blocks, offset, size, source, count, list, event),
        (calls.waits += blocks != CL_FALSE, IS_ASKED(event)))
COUNTED(void *, clEnqueueMapBuffer,
        (cl_command_queue queue, cl_mem buffer, cl_bool blocks, cl_map_flags flags, size_t offset,
         size_t size, cl_uint count, const cl_event *list, cl_event *event, cl_int *code),
        (queue, buffer, blocks, flags, offset, size, count, list, event, code),
        (calls.waits += blocks != CL_FALSE, IS_ASKED(event)))
COUNTED(cl_int, clFinish, (cl_command_queue queue), (queue), ++calls.waits)
COUNTED(cl_int, clWaitForEvents, (cl_uint count, const cl_event *list), (count, list),
        ++calls.waits)

COUNTED(cl_kernel, clCreateKernel, (cl_program program, const char *name, cl_int *code),
        (program, name, code), ++calls.preparations)
COUNTED(cl_int, clBuildProgram,
        (cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
         void(CL_CALLBACK *notify)(cl_program, void *), void *data),
        (program, count, devices, options, notify, data), ++calls.preparations)
COUNTED(cl_int, clSetKernelArg,
        (cl_kernel kernel, cl_uint index, size_t size, const void *value),
        (kernel, index, size, value), ++calls.preparations)
