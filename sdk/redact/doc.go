// Package redact takes secrets out of text and JSON before they are stored: API keys, tokens, passwords.
//
//	r, err := redact.New(`ACME-[0-9a-f]{32}`) // the common formats, and one of our own
//	clean := r.String("the key is ACME-0123456789abcdef0123456789abcdef")
//
// A secret is replaced by [Marker]. What was redacted once stays as it is when it is redacted again. A nil [Redactor] changes nothing.
//
// It knows what secrets look like, and no more than that: a password in the middle of a sentence is text like any other. A [Stream] redacts
// text that comes in pieces. [Events] says what an event may carry: it redacts it, and leaves prompts, inputs and outputs out of it where
// only metadata is to be captured.
package redact
