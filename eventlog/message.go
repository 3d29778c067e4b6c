package eventlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// encode makes an event's message. Its sequence is not in it: the log gives it. What can never be kept is invalid_input or
// payload_too_large.
func encode(subject string, e sdk.Event) (*nats.Msg, error) {
	e.Sequence = ""
	data, err := compact(e)
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "an event of type %s cannot be written as JSON: %v", e.Type, err)
	}
	m := nats.NewMsg(subject)
	m.Data = data
	m.Header.Set(headerType, string(e.Type))
	if e.Subject != "" {
		m.Header.Set(headerAbout, url.PathEscape(e.Subject)) // a header keeps neither outer blanks nor line breaks
	}
	if e.Seq > 0 {
		m.Header.Set(headerSeq, strconv.Itoa(e.Seq))
	}
	if sdk.ValidID(e.Session) {
		m.Header.Set(headerOf, e.Session)
	}
	if sdk.ValidID(e.Plan) {
		m.Header.Set(headerPlan, e.Plan)
	}
	if size(m) > largestEvent-batchRoom {
		return nil, sdk.Errorf(sdk.CodePayloadTooLarge, "an event of type %s takes %d bytes; at most %d can be kept", e.Type, size(m), largestEvent-batchRoom)
	}
	return m, nil
}

// compact writes an event on one line, its text as it is: escaping < for web pages would make code up to six times as large.
func compact(e sdk.Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// batchRoom is what the headers of a batch may add to a message.
const batchRoom = 1 << 10

func size(m *nats.Msg) int {
	n := len(m.Data)
	for k, values := range m.Header {
		for _, v := range values {
			n += len(k) + len(v)
		}
	}
	return n
}

// dedupID is by what the same source and id are known again; where an event came with a source of its own, that counts too.
func dedupID(e sdk.Event) string { return digest(e.Source, e.ID, e.OriginSource) }

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Record is an event as it stands in the log. It is shared by all who follow: do not change Data.
type Record struct {
	Sequence uint64 // its position; 0 for one that is followed and not kept
	Type     sdk.EventType
	Data     []byte // the event as JSON, without its sequence

	subject string    // of a kept event's message, or where it would be kept
	about   string    // the event's own subject, as its header has it
	session string    // the session that it belongs to, if any
	plan    string    // the plan that it belongs to, if any
	number  int       // within its story; 0 for one of no story
	at      time.Time // when the log took it; zero for one that is not kept
}

func newRecord(subject string, sequence uint64, at time.Time, h nats.Header, data []byte) *Record {
	number, _ := strconv.Atoi(h.Get(headerSeq)) // only a story's events have one
	return &Record{
		Sequence: sequence, Type: sdk.EventType(h.Get(headerType)), Data: data,
		subject: subject, about: h.Get(headerAbout), session: h.Get(headerOf), plan: h.Get(headerPlan), number: number, at: at,
	}
}

// Number is its place within its story: 1, 2, 3 …; 0 for an event of no story, and for one that is not kept.
func (r *Record) Number() int { return r.number }

// Taken is when the log took the event; zero for one that is not kept.
func (r *Record) Taken() time.Time { return r.at }

// JSON is the event as it goes over the wire, with its sequence.
func (r *Record) JSON() []byte {
	if r.Sequence == 0 || len(r.Data) < 2 {
		return r.Data
	}
	return r.AppendJSON(make([]byte, 0, len(r.Data)+len(sequenceField)+22))
}

const sequenceField = `,"sequence":"`

// AppendJSON appends what JSON answers.
func (r *Record) AppendJSON(to []byte) []byte {
	if r.Sequence == 0 || len(r.Data) < 2 {
		return append(to, r.Data...)
	}
	to = append(to, r.Data[:len(r.Data)-1]...)
	to = append(to, sequenceField...)
	to = append(to, sdk.FormatSequence(r.Sequence)...)
	return append(to, '"', '}')
}

// Event decodes the record.
func (r *Record) Event() (sdk.Event, error) {
	var e sdk.Event
	if err := json.Unmarshal(r.Data, &e); err != nil {
		return e, sdk.Errorf(sdk.CodeInternal, "event %d of the log is not an event: %v", r.Sequence, err)
	}
	if r.Sequence > 0 {
		e.Sequence = sdk.FormatSequence(r.Sequence)
	}
	return e, nil
}

// recordOf reads a kept message.
func recordOf(m jetstream.Msg) (*Record, *jetstream.MsgMetadata, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, nil, err
	}
	return newRecord(m.Subject(), meta.Sequence.Stream, meta.Timestamp, m.Headers(), m.Data()), meta, nil
}

// messageOf is a record as a message with another subject.
func messageOf(subject string, r *Record) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Data = r.Data
	m.Header.Set(headerType, string(r.Type))
	if r.about != "" {
		m.Header.Set(headerAbout, r.about)
	}
	if r.session != "" {
		m.Header.Set(headerOf, r.session)
	}
	if r.plan != "" {
		m.Header.Set(headerPlan, r.plan)
	}
	return m
}

// liveRecord reads a message that is not kept.
func liveRecord(m *nats.Msg) *Record {
	return newRecord(keptPrefix+strings.TrimPrefix(m.Subject, livePrefix), 0, time.Time{}, m.Header, m.Data)
}
