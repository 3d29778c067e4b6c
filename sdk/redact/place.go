package redact

import "strings"

// place is where in JSON something stands, as far as that says whether a string is a secret.
type place struct {
	inner []container // the containers it is in
	name  string      // of the field that the next value is of, or what the string before calls it
}

// container is an object or an array.
type container struct {
	owner string // the name of the field whose value it is
	entry string // what the object says that its value is called
	list  bool
}

// pass takes a byte outside of strings.
func (p *place) pass(c byte) {
	switch c {
	case '{', '[':
		p.inner = append(p.inner, container{owner: p.name, list: c == '['})
		p.name = ""
		if c == '[' {
			p.name = p.inner[len(p.inner)-1].owner
		}
	case '}', ']':
		p.inner, p.name = p.inner[:len(p.inner)-1], ""
	case ',':
		top := &p.inner[len(p.inner)-1]
		if p.name = ""; top.list {
			p.name = top.owner
			if top.entry != "" {
				p.name, top.entry = top.entry, ""
			}
		}
	default:
	}
}

// key takes the name of a field, by its end: what is looked at for every value is short. The value of an object that belongs to a name, or
// says one, is called so.
func (p *place) key(name string) {
	name = nameEnd(name)
	top := p.inner[len(p.inner)-1]
	switch {
	case !strings.EqualFold(name, "value"):
		p.name = name
	case top.entry != "":
		p.name = top.entry
	case keyName.MatchString(top.owner):
		p.name = top.owner
	default:
		p.name = name
	}
}

// isSecret reports whether a string that is a value here is a secret whatever it looks like.
func (p *place) isSecret(text string) bool {
	if p.name == "" || strings.HasPrefix(p.name, "--") && strings.HasPrefix(text, "-") { // an option behind another has none
		return false
	}
	return SecretOf(p.name, text)
}

// say takes a string that is a value: the name of an entry, or an option before its value.
func (p *place) say(text string) {
	if len(p.inner) == 0 || len(text) > nameWindow || !keyName.MatchString(text) {
		return
	}
	top := &p.inner[len(p.inner)-1]
	if top.list && strings.HasPrefix(text, "--") || !top.list && (strings.EqualFold(p.name, "name") || strings.EqualFold(p.name, "key")) {
		top.entry = text
	}
}
