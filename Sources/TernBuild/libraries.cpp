// The system libraries and their versions, as they answer at run time. Those that have no call for it
// say it in the name of their file: libclblast.so.1.5.3.

#include "build.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <dnnl.h>
#include <limits.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <jpeglib.h>

extern "C" int CLBlastClearCache(void);

static void put(TernLibrary &library, const char *name, const char *version) {
  library.name = name;
  snprintf(library.version, sizeof library.version, "%s", version ? version : "");
}

/// The version in the name of the file that a function was loaded from.
static void put(TernLibrary &library, const char *name, void *function) {
  Dl_info info;
  char path[PATH_MAX];
  const char *version = nullptr;
  if (dladdr(function, &info) && realpath(info.dli_fname, path)) version = strstr(path, ".so.");
  put(library, name, version ? version + 4 : nullptr);
}

TernLibrary tern_library(int number) {
  TernLibrary library{};
  switch (number) {
    case 0: {
      const dnnl_version_t *v = dnnl_version();
      char text[64];
      snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
      put(library, "oneDNN", text);
      break;
    }
    case 1:
      put(library, "CLBlast", reinterpret_cast<void *>(&CLBlastClearCache));
      break;
    case 2:
      put(library, "OpenCL loader", reinterpret_cast<void *>(&clGetPlatformIDs));
      break;
    case 3:
      put(library, "zlib", zlibVersion());
      break;
    case 4:
      put(library, "libpng", png_get_libpng_ver(nullptr));
      break;
    case 5:
#ifdef LIBJPEG_TURBO_VERSION
#define TERN_TEXT(x) #x
#define TERN_VALUE(x) TERN_TEXT(x)
      put(library, "libjpeg-turbo", TERN_VALUE(LIBJPEG_TURBO_VERSION));
#else
      put(library, "libjpeg", reinterpret_cast<void *>(&jpeg_std_error));
#endif
      break;
    default:
      break;
  }
  return library;
}
