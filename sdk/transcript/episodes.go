package transcript

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// episodeKeywords are the references of the keyword rules.
var episodeKeywords = regexp.MustCompile(`(?i)ep-[a-z0-9]{3,32}|episode:[ \t]*[a-z0-9](?:-?[a-z0-9]){2,31}`)

// ExtractEpisodeRefs finds references to episodes, in the order in which they come, each once.
//
// By the keyword rules they are in a tool's result: ep-{id}, also in brackets, and episode: {id}, in capitals or not, where the id is 3 to 32
// letters and digits. After episode: it may hold hyphens, as in the documented episode: auth-fix.
//
// With [Careful] they are in what the agent says, too, and in JSON {"episodeRefs": […]}; an id may hold hyphens and underscores, as in
// ep-auth-fix; what is part of a longer word, as in keep-alive, or longer than 32, is none; and a plain word after "episode:" is an id only where
// the sentence ends with it. The result is written ep-{id} and episode: {id}.
func ExtractEpisodeRefs(e Event, opts ...Option) []string {
	o := with(opts)
	return o.episodes(e, o.category(e))
}

func (o options) episodes(e Event, c Category) (refs []string) {
	if o.careful {
		return carefulEpisodes(e, c)
	}
	if c != CategoryToolResult {
		return nil
	}
	seen := map[string]bool{}
	for _, ref := range episodeKeywords.FindAllString(e.Text, -1) {
		if !seen[ref] {
			seen[ref] = true
			refs = append(refs, ref)
		}
	}
	return refs
}

func carefulEpisodes(e Event, c Category) (refs []string) {
	if !spoken(e, c) && c != CategoryToolResult {
		return nil
	}
	for s := range structures(e) {
		for _, ref := range s.EpisodeRefs {
			refs = appendRef(refs, ref)
		}
	}
	for at := 0; len(refs) < maxRefs; at++ {
		next := strings.IndexAny(e.Text[at:], "-:")
		if next < 0 {
			break
		}
		at += next
		if ref := episodeAt(e.Text, at); ref != "" {
			refs = appendRef(refs, ref)
		}
	}
	return refs
}

// episodeAt is the reference whose "ep-" or "episode:" ends at a place in a text, or "" when there is none.
func episodeAt(text string, at int) string {
	name, prefix := "ep", "ep-"
	if text[at] == ':' {
		name, prefix = "episode", "episode: "
	}
	start := at - len(name)
	if start < 0 || !strings.EqualFold(text[start:at], name) || (start > 0 && inName(text[start-1])) {
		return ""
	}
	from := at + 1
	for text[at] == ':' && from < len(text) && (text[from] == ' ' || text[from] == '\t') {
		from++
	}
	end := from
	for end < len(text) && inName(text[end]) {
		end++
	}
	id := strings.TrimRight(text[from:end], "-_")
	if len(id) < 3 || len(id) > 32 || id[0] == '-' || id[0] == '_' || strings.IndexFunc(id, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		return ""
	}
	plain := strings.IndexFunc(id, func(r rune) bool { return !unicode.IsLetter(r) }) < 0
	if text[at] == ':' && plain && end < len(text) && strings.IndexByte("\r\n.,;)]}\"'", text[end]) < 0 {
		return ""
	}
	return prefix + id
}

// inName reports whether a byte beside a word makes it a part of a longer one.
func inName(c byte) bool {
	return c == '-' || c == '_' || c >= utf8.RuneSelf || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func appendRef(refs []string, ref string) []string {
	if ref = kept(ref); ref == "" || len(refs) >= maxRefs || slices.Contains(refs, ref) {
		return refs
	}
	return append(refs, ref)
}
