package apiserver

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// maxFaults is how many faults an answer names; a body can be wrong in a hundred thousand places.
	maxFaults = 100
	// maxFaultPaths is how many paths a list knows again.
	maxFaultPaths = 1000
)

// faultList names the first maxFaults faults and counts the others. The first one of a path stays: it is the one that explains
// the others. Beyond maxFaultPaths faults a path may be counted twice.
type faultList struct {
	named   []sdk.Fault
	unnamed int
	paths   map[string]struct{}
}

func (l *faultList) add(faults ...sdk.Fault) {
	for _, f := range faults {
		if _, known := l.paths[f.Path]; !known {
			l.enter(f)
		}
	}
}

// addAll enters faults that were found together: several of one path stay, unless there was one of it before.
func (l *faultList) addAll(faults ...sdk.Fault) {
	before, said := maps.Clone(l.paths), map[sdk.Fault]bool{}
	for _, f := range faults {
		if _, known := before[f.Path]; !known && !said[f] {
			said[f] = true
			l.enter(f)
		}
	}
}

func (l *faultList) enter(f sdk.Fault) {
	if l.paths == nil {
		l.paths = map[string]struct{}{}
	}
	if len(l.paths) < maxFaultPaths {
		l.paths[f.Path] = struct{}{}
	}
	if len(l.named) == maxFaults {
		l.unnamed++
		return
	}
	l.named = append(l.named, f)
}

// sortFaults puts faults that were found in no order into that of their paths.
func sortFaults(faults []sdk.Fault) {
	slices.SortStableFunc(faults, func(a, b sdk.Fault) int { return strings.Compare(a.Path, b.Path) })
}

// at enters a fault of a place in a body.
func (l *faultList) at(path jsonPath, message string) {
	if len(l.paths) == maxFaultPaths {
		l.unnamed++
		return
	}
	l.add(sdk.Fault{Path: path.String(), Message: message})
}

func (l *faultList) empty() bool { return len(l.named) == 0 }

// refusal names the faults, and says how many more there are.
func (l *faultList) refusal() *sdk.Error {
	faults := append([]sdk.Fault{}, l.named...)
	if l.unnamed > 0 {
		faults = append(faults, sdk.Fault{Path: "$", Message: strconv.Itoa(l.unnamed) + " more faults are not named"})
	}
	return &sdk.Error{Code: sdk.CodeInvalidInput, Message: "the request is not valid; errors names every fault", Faults: faults}
}

// invalid is a refusal that names faults.
func invalid(faults []sdk.Fault) *sdk.Error {
	var l faultList
	l.add(faults...)
	return l.refusal()
}
