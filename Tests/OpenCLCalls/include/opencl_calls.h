#pragma once

#include <stdbool.h>

// What a thread has asked of OpenCL so far, counted where the calls leave the process: those of CLBlast
// are among them.
struct opencl_calls {
  // Buffers, images and shared memory created.
  long allocations;
  // Events created, or asked of a command.
  long events;
  // Calls that return only when the device has done something.
  long waits;
  // Programs, kernels and queues created, and kernel arguments set.
  long preparations;
  // Kernels enqueued.
  long launches;
};

struct opencl_calls opencl_calls_of_this_thread(void);

// Whether contexts that the calling thread asks for are refused, as by a driver that is out of resources.
void opencl_refuse_contexts_of_this_thread(bool refuses);
