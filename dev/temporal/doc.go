// Package temporal runs a Temporal server with its Web UI inside this process: one SQLite file, one shard, loopback only.
//
// It is made for one machine: development, tests and a first look. The file survives a killed process, not a lost power supply,
// and there is no migration of a file that another version of the server wrote. In production Temporal is a cluster that somebody
// else runs, and none of the settings here may be counted on.
package temporal
