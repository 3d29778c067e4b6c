// Package seal writes small tokens that only a server with the same keys can read or make: what a server would otherwise have to
// remember goes to the caller and comes back with the next request.
//
// A file holds the keys, one a line: 32 random bytes in standard base64. Empty lines, and those that begin with #, are left out. The
// first key seals, every key opens, so keys are changed without a token being lost: put the new one behind the old on every server,
// then in front of it, and take the old one out when the last token that it sealed has expired. The file is read once, at the start
// of a server. Whoever can read it can make tokens: it is for the server's user alone, and one that every user can write is refused.
//
//	(umask 077; head -c 32 /dev/urandom | base64 >> lease-keys)
package seal
