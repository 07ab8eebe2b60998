/* SPDX-License-Identifier: MIT
 *
 * A main for the fuzz targets where there is no libFuzzer: runs each file once.
 *   replay FILE...    prints how many; a target that is not content aborts. */
#include "support.h"

static bool run(const char *path) {
  FILE *f = fopen(path, "rb");
  uint8_t *bytes;
  long len;
  bool read;
  if (!f || fseek(f, 0, SEEK_END) != 0 || (len = ftell(f)) < 0)
    return false;
  rewind(f);
  bytes = malloc(len ? (size_t)len : 1);
  read = bytes && fread(bytes, 1, (size_t)len, f) == (size_t)len;
  fclose(f);
  if (read) /* a part of a larger run: which one, should it abort */
    LLVMFuzzerTestOneInput(bytes, (size_t)len);
  free(bytes);
  return read;
}

int main(int argc, char **argv) {
  int i;
  if (argc < 2) {
    fprintf(stderr, "no input\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (i = 1; i < argc; i++) {
    if (getenv("FUZZ_VERBOSE"))
      printf("%s\n", argv[i]);
    if (!run(argv[i])) {
      fprintf(stderr, "%s: cannot be read\n", argv[i]);
      return 2;
    }
  }
  printf("%s: %d inputs\n", argv[0], argc - 1);
  return 0;
}
