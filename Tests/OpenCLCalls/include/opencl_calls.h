#pragma once

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
