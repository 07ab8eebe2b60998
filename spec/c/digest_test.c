/* SPDX-License-Identifier: MIT
 *
 * SHA-1 and base64, of which the upgrade proves that it was read. */
#include "check.h"
#include "core/base64.h"
#include "core/sha1.h"

static void check_digest(const char *text, size_t len, const char *base64) {
  char shown[29] = "";
  uint8_t digest[20];
  stomp_sha1(check_guarded(text, len), len, digest);
  stomp_base64(shown, digest, sizeof digest);
  CHECK(strcmp(shown, base64) == 0);
}

/* FIPS 180-4's examples, and each length about the blocks' ends against the sum
 * that another program made of all of them. */
static void test_digests(void) {
  uint8_t all[200 * 20], digest[20];
  char zeros[200] = "", shown[29] = "";
  size_t n;
  check_digest("", 0, "2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
  check_digest("abc", 3, "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
  check_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
               "hJg+RBw70m66rkqh+VEp5eVGcPE=");
  for (n = 0; n < 200; n++)
    stomp_sha1(check_guarded(zeros, n), n, all + 20 * n);
  stomp_sha1(all, sizeof all, digest);
  stomp_base64(shown, digest, sizeof digest);
  CHECK(strcmp(shown, "t7EXTtLh0MRUpIf4zm8c88mzKWY=") == 0);
}

int main(void) {
  test_digests();
  return check_result("digest");
}
