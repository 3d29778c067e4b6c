// Package keys is the file of API keys: who may call, for which projects, and what. The file holds hashes only; a key itself is
// shown once, when it is made.
//
// [Create] and [Revoke] change the file under a lock, so that several processes may. A [Store] is the file as a server sees it: it
// follows changes, and keeps the last good state while the file can not be read.
package keys
