#!/bin/sh
# SPDX-License-Identifier: MIT
# Certificates for the tests of TLS, made anew when they are older than a day.
#   spec/support/certificates.sh DIRECTORY
# ca        the authority            other-ca  one that signed nothing here
# server    localhost, 127.0.0.1, ::1         wrong     other.test, 192.0.2.1
# expired   as server, of last year           selfsigned  as server, by itself
# client    of the client; client-locked.key is its key under "open sesame"
# server.pin is the SHA-256 of server's public key in base64
set -eu

dir=$1
if [ -n "$(find "$dir/complete" -mmin -1440 2>/dev/null)" ]; then
  exit 0
fi
new=$dir.$$
rm -rf "$new"
mkdir -p "$new"
trap 'rm -rf "$new"' EXIT
cd "$new"
names=DNS:localhost,IP:127.0.0.1,IP:::1

key() {
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
    -out "$1.key" 2>/dev/null ||
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
      -out "$1.key" 2>/dev/null
}

authority() { # FILE NAME
  key "$1"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 30 -out "$1.pem" \
    -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign,cRLSign
}

signed() { # FILE SAN DAYS
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
  printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\n' "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial \
    -days "$3" -extfile "$1.ext" -out "$1.pem" 2>/dev/null
}

authority ca "Test authority"
authority other-ca "Another authority"
signed server "$names" 30
signed wrong DNS:other.test,IP:192.0.2.1 30
signed expired "$names" -1
signed client DNS:client.test 30
key selfsigned
openssl req -x509 -new -key selfsigned.key -subj /CN=selfsigned -days 30 \
  -addext "subjectAltName=$names" -out selfsigned.pem
openssl pkcs8 -topk8 -in client.key -passout "pass:open sesame" \
  -out client-locked.key
openssl pkey -in server.key -pubout -outform DER |
  openssl dgst -sha256 -binary | openssl base64 -A >server.pin
touch complete
cd - >/dev/null
rm -rf "$dir"
mkdir -p "$(dirname "$dir")"
mv "$new" "$dir" || [ -e "$dir/complete" ] # another made them meanwhile
