package sdktest

import (
	kept "github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// adopt asks the parent of a new task to take it, and answers the task's input as the parent makes it. taken puts the task's
// run into the parent's hands.
func (e *engine) adopt(in workflows.TaskInput) (child workflows.TaskInput, taken func(*run), err error) {
	if in.Request.ParentID == "" {
		return in, func(*run) {}, nil
	}
	parent, err := e.find(in.Project, in.Request.ParentID)
	if err != nil {
		return in, nil, kept.NoSuchParent(in.Request.ParentID)
	}
	if parent.ended > 0 || parent.cancelled {
		return in, nil, workflows.ParentEnded()
	}
	if err := e.count(parent, in.ID); err != nil {
		return in, nil, err
	}
	ask := workflows.DelegateTaskInput{Child: in}
	if err := parent.course.CheckDelegation(ask); err != nil {
		return in, nil, err
	}
	d := parent.course.Delegate(e.now, ask)
	parent.course.Delegated(d, true)
	parent.collect()
	return d.Child, func(r *run) {
		if !in.Request.Detached {
			parent.children = append(parent.children, r)
		}
	}, nil
}

// count enters a task below a parent in the count of their root, unless that is the parent.
func (e *engine) count(parent *run, id string) error {
	rootID := parent.created.RootID
	if rootID == parent.in.ID {
		return nil
	}
	ask := workflows.DelegateTaskInput{Child: workflows.TaskInput{Project: parent.in.Project, ID: id}, CountOnly: true}
	if root, err := e.find(parent.in.Project, rootID); err == nil && root.ended == 0 {
		if err := root.course.CheckDelegation(ask); err != nil {
			return err
		}
		root.course.Count(id)
		return nil
	}
	n := 0
	for _, r := range e.runs {
		if r.in.Project == parent.in.Project && r.in.RootID == rootID {
			n++
		}
	}
	if n >= sdk.MaxDescendants {
		return workflows.TooManyDescendants()
	}
	return nil
}

// release asks the children of a task that has ended to stop.
func (r *run) release() {
	for _, child := range r.children {
		if child.ended == 0 && !child.cancelled {
			child.cancelled = true
			child.cancel("")
		}
	}
}
