#ifndef CERTIFICATES_H
#define CERTIFICATES_H

// Writes a small world of certificates into the folder `directory`. Returns 0, or a negative errno.
//
//   authority.pem          the authority of all the others
//   stranger.pem           an authority that signed none of them
//   good.pem, good.key     for localhost, 127.0.0.1 and ::1
//   other.pem, other.key   for other.test only
//   expired.pem, expired.key  for localhost and 127.0.0.1, until yesterday
int certificates_write(const char* directory);

#endif
