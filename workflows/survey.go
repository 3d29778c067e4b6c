package workflows

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Checking an answer takes time in proportion to the values of the schema times those of the answer, and it happens inside a
// workflow task: both are bounded.
const (
	maxSchemaValues = 300
	maxAnswerValues = 300
)

// survey counts the values of a JSON text, names of members among them, and answers the first name that refers to another schema.
// Names are compared as encoding/json does, without regard to case: a reference to itself would never end.
func survey(raw json.RawMessage) (values int, reference string) {
	d := json.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.Token()
		if err != nil {
			return values, reference
		}
		if token != json.Delim('}') && token != json.Delim(']') {
			values++
		}
		name, ok := token.(string)
		for _, keyword := range []string{"$ref", "$dynamicRef", "$recursiveRef"} {
			if ok && reference == "" && strings.EqualFold(name, keyword) {
				reference = keyword
			}
		}
	}
}
