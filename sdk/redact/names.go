package redact

// Weight is how much a name, such as that of a field, says that its value is a secret: 0 nothing, 1 that it is one if it looks like one, as
// with token, 2 that it is one. The secret of a name is the secret of every name that weighs more.
func Weight(name string) int {
	switch name = nameEnd(name); {
	case !keyName.MatchString(name):
		return 0
	case isWeak(name):
		return 1
	default:
		return 2
	}
}

// SecretOf reports whether a value is a secret because of its name. It does not look for other secrets in it.
func SecretOf(name, value string) bool {
	name = nameEnd(name)
	return keyName.MatchString(name) && isSecretOf(name, value)
}

// nameEnd is what is looked at of a name, however long that is.
func nameEnd(name string) string { return name[max(0, len(name)-nameWindow):] }
