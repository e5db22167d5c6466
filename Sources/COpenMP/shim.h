// oneDNN runs on libgomp's thread team. These are the entry points a compiler emits for
// `#pragma omp parallel`; calling them puts Tern's own loops on the same team, so that two pools
// never fight over the cores.
#pragma once
#include <stdbool.h>

void GOMP_parallel(void (*body)(void *), void *data, unsigned thread_count, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
void omp_set_num_threads(int count);
