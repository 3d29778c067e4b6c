package expression

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/rolecall-dev/rolecall/sdk"
)

// errLarge is why what expressions make is not written to its end.
var errLarge = errors.New("is too large")

// encoder writes values as JSON, up to its limit.
type encoder struct {
	out   []byte
	limit int
	large bool // there was more than may be, which out has not
}

// full tells whether there is more than may be.
func (e *encoder) full() bool { return e.large || len(e.out) > e.limit }

// value writes a value: the names of objects in alphabetical order, bytes in base64, a time as in RFC 3339, a duration in seconds.
func (e *encoder) value(v ref.Val, depth int) error {
	if e.full() {
		return errLarge
	}
	switch v := v.(type) {
	case types.Null:
		e.out = append(e.out, "null"...)
	case types.Bool:
		e.out = strconv.AppendBool(e.out, bool(v))
	case types.Int:
		e.out = strconv.AppendInt(e.out, int64(v), 10)
	case types.Uint:
		e.out = strconv.AppendUint(e.out, uint64(v), 10)
	case types.Double:
		return e.double(float64(v))
	case traits.Lister:
		return e.list(v, depth)
	case traits.Mapper:
		return e.object(v, depth)
	default:
		words, ok := wordsOf(v)
		if !ok {
			return fmt.Errorf("a value %s is no JSON", kindOf(v))
		}
		e.text(words)
	}
	return nil
}

// wordsOf answers a value that is a text in JSON.
func wordsOf(v ref.Val) (string, bool) {
	switch v := v.(type) {
	case types.String:
		return string(v), true
	case types.Bytes:
		return base64.StdEncoding.EncodeToString(v), true
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano), true
	case types.Duration:
		return strconv.FormatFloat(v.Seconds(), 'f', -1, 64) + "s", true
	default:
		return "", false
	}
}

// double writes a number as short as it can be read again, with an exponent where encoding/json has one: 1e-07, 1e+21.
func (e *encoder) double(n float64) error {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return errors.New("a number that is not finite is no JSON")
	}
	format := byte('f')
	if size := math.Abs(n); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	e.out = strconv.AppendFloat(e.out, n, format, -1, 64)
	return nil
}

func (e *encoder) list(l traits.Lister, depth int) error {
	if depth >= sdk.MaxJSONDepth {
		return errDeep()
	}
	e.out = append(e.out, '[')
	first := true
	for it := l.Iterator(); it.HasNext() == types.True; first = false {
		if !first {
			e.out = append(e.out, ',')
		}
		if err := e.value(it.Next(), depth+1); err != nil {
			return err
		}
	}
	e.out = append(e.out, ']')
	return nil
}

func (e *encoder) object(m traits.Mapper, depth int) error {
	if depth >= sdk.MaxJSONDepth {
		return errDeep()
	}
	names, err := namesOf(m)
	if err != nil {
		return err
	}
	e.out = append(e.out, '{')
	for i, name := range names {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		e.text(name)
		e.out = append(e.out, ':')
		value, found := fieldOf(m, name)
		if !found {
			return fmt.Errorf("the field %q can not be read", sdk.Cut(name, sdk.MaxMetadataKey))
		}
		if err := e.value(value, depth+1); err != nil {
			return err
		}
	}
	e.out = append(e.out, '}')
	return nil
}

// fieldOf answers a field however long its name is.
func fieldOf(m traits.Mapper, name string) (ref.Val, bool) {
	if o, ok := m.(*object); ok {
		if value, found := o.fields[name]; found {
			return value, !types.IsError(value)
		}
	}
	return m.Find(types.String(name))
}

// namesOf are the names of an object, sorted.
func namesOf(m traits.Mapper) ([]string, error) {
	var names []string
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("an object with a name %s is no JSON: write it as a text", kindOf(key))
		}
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names, nil
}

func errDeep() error { return fmt.Errorf("it nests deeper than %d", sdk.MaxJSONDepth) }

// text writes a text with its quotes, as far as there is room.
func (e *encoder) text(s string) {
	e.out = append(e.out, '"')
	e.words(s)
	e.out = append(e.out, '"')
}

// words writes a text without quotes, as it stands between them.
func (e *encoder) words(s string) {
	if len(e.out)+len(s) > e.limit {
		e.large = true
		return
	}
	const hexadecimal = "0123456789abcdef"
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		e.out = append(e.out, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			e.out = append(e.out, '\\', c)
		case '\n':
			e.out = append(e.out, '\\', 'n')
		case '\r':
			e.out = append(e.out, '\\', 'r')
		case '\t':
			e.out = append(e.out, '\\', 't')
		default:
			e.out = append(e.out, '\\', 'u', '0', '0', hexadecimal[c>>4], hexadecimal[c&15])
		}
	}
	e.out = append(e.out, s[from:]...)
}
