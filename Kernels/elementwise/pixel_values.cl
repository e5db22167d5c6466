#include "../common/common.cl"

// What the bytes of pictures stand for: entries of the row that their channel has in a table of 256 columns.
// A work-item takes V neighbours, which are of one channel.
__kernel void pixel_values(IN_BYTES(x), IN(table), OUT(y), const int items, DIVISOR(plane),
                           DIVISOR(channels)) {
  BIND_BYTES(x);
  BIND(table);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= items) return;
  const int sample_channel = divided(i, plane);
  const int channel = sample_channel - divided(sample_channel, channels) * channels.s0;
  __global const float *entries = table + 256 * channel;
  float lanes[V];
  EACH_LANE
  for (int lane = 0; lane < V; ++lane) lanes[lane] = entries[x[i * V + lane]];
  WRITE(LOAD(lanes), y + i * V);
}
