package sdk

import (
	"context"
	"net/http"
)

// Output is a [Reporter] that also takes what the agent says and does while it goes on, for whoever follows the task. It is shown and not
// kept: what can not be delivered soon is dropped. That of a role worker is one; ask for it:
//
//	if live, ok := r.(sdk.Output); ok {
//		live.Output(sdk.OutputFrame{Delta: "Hel"}, sdk.OutputFrame{Delta: "lo"})
//	}
type Output interface {
	// Output takes the next frames. It never blocks, and is safe for concurrent use.
	Output(frames ...OutputFrame)
}

// SendOutput sends live output of an attempt that the calling worker has in hand to whoever follows its task: at most [MaxOutputFrames] frames
// and [MaxOutputCall] bytes a call. The client's own key needs the scope work. It is sent once; what nobody follows is dropped.
func (c *Client) SendOutput(ctx context.Context, taskID string, output TaskOutput) error {
	if err := checkID("task", taskID); err != nil {
		return err
	}
	if len(output.Frames) == 0 || len(output.Frames) > MaxOutputFrames {
		return Errorf(CodeInvalidInput, "live output is sent in 1 to %d frames a call, not %d", MaxOutputFrames, len(output.Frames))
	}
	return c.do(ctx, call{method: http.MethodPost, url: c.taskURL(taskID, "output"), body: output}, nil)
}
