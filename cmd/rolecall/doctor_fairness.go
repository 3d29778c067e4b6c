package main

import (
	"context"
	"sync"

	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// What doctor can say of a Temporal's fairness.
const (
	fairnessOn      = "on"
	fairnessOff     = "off"
	fairnessNotSeen = "not_seen" // no task has waited in a queue since Temporal made it
	fairnessUntold  = "untold"   // Temporal does not let the caller look
)

// connection is that of a Temporal client, for calls which the client does not have. It is there after the client's first call.
type connection struct {
	mu sync.Mutex
	cc *grpc.ClientConn
}

// keep is a gRPC interceptor that changes nothing.
func (c *connection) keep(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	c.mu.Lock()
	c.cc = cc
	c.mu.Unlock()
	return invoke(ctx, method, req, reply, cc, opts...)
}

// fairness asks Temporal's admin service how it keeps the backlog of a queue, which is all that tells whether fairness keys count: a
// queue with fairness has levels with a pass in them. An error is that Temporal does not tell, as Temporal Cloud does not.
func (c *connection) fairness(ctx context.Context, namespace, queue string, kind enumspb.TaskQueueType) (string, error) {
	c.mu.Lock()
	cc := c.cc
	c.mu.Unlock()
	in, out := &emptypb.Empty{}, &emptypb.Empty{}
	in.ProtoReflect().SetUnknown(partitionRequest(namespace, queue, kind))
	if err := cc.Invoke(ctx, "/temporal.server.api.adminservice.v1.AdminService/DescribeTaskQueuePartition", in, out); err != nil {
		return fairnessUntold, err
	}
	return fairnessIn(out.ProtoReflect().GetUnknown()), nil
}

// partitionRequest is a temporal.server.api.adminservice.v1.DescribeTaskQueuePartitionRequest for the root partition: 1 is the
// namespace, 2 the partition with 1 its queue and 2 its type, 3 the versions with 2 the unversioned one and 3 all that are active.
func partitionRequest(namespace, queue string, kind enumspb.TaskQueueType) []byte {
	var partition, versions, request []byte
	partition = protowire.AppendString(protowire.AppendTag(partition, 1, protowire.BytesType), queue)
	partition = protowire.AppendVarint(protowire.AppendTag(partition, 2, protowire.VarintType), uint64(kind)) //nolint:gosec // an enum
	versions = protowire.AppendVarint(protowire.AppendTag(versions, 2, protowire.VarintType), 1)
	versions = protowire.AppendVarint(protowire.AppendTag(versions, 3, protowire.VarintType), 1)
	request = protowire.AppendString(protowire.AppendTag(request, 1, protowire.BytesType), namespace)
	request = protowire.AppendBytes(protowire.AppendTag(request, 2, protowire.BytesType), partition)
	return protowire.AppendBytes(protowire.AppendTag(request, 3, protowire.BytesType), versions)
}

// fairnessIn reads a DescribeTaskQueuePartitionResponse: 1 is a map, whose value 2 has the physical queue as 2, which has its backlogs
// as 3. A backlog's levels are 1, 2 and 6, with fairness 7, 8 and 9; 10 is set while it is only emptied.
func fairnessIn(response []byte) string {
	seen := fairnessNotSeen
	for _, version := range messages(response, 1) {
		for _, info := range messages(version, 2) {
			for _, physical := range messages(info, 2) {
				for _, backlog := range messages(physical, 3) {
					has := fieldsOf(backlog)
					switch {
					case has[10]:
					case has[7] || has[8] || has[9]:
						return fairnessOn
					case has[1] || has[2] || has[6]:
						seen = fairnessOff
					}
				}
			}
		}
	}
	return seen
}

// messages are the values of one field of a message.
func messages(raw []byte, field protowire.Number) (values [][]byte) {
	eachField(raw, func(n protowire.Number, kind protowire.Type, value []byte) {
		if n != field || kind != protowire.BytesType {
			return
		}
		if v, size := protowire.ConsumeBytes(value); size >= 0 {
			values = append(values, v)
		}
	})
	return values
}

// fieldsOf are the fields that a message has.
func fieldsOf(raw []byte) map[protowire.Number]bool {
	has := map[protowire.Number]bool{}
	eachField(raw, func(n protowire.Number, _ protowire.Type, _ []byte) { has[n] = true })
	return has
}

// eachField walks over a message for as long as it is one.
func eachField(raw []byte, visit func(protowire.Number, protowire.Type, []byte)) {
	for len(raw) > 0 {
		n, kind, size := protowire.ConsumeTag(raw)
		if size < 0 {
			return
		}
		raw = raw[size:]
		if size = protowire.ConsumeFieldValue(n, kind, raw); size < 0 {
			return
		}
		visit(n, kind, raw[:size])
		raw = raw[size:]
	}
}

// allQueues is what several queues together say of fairness.
func allQueues(said []string) string {
	all := fairnessNotSeen
	for _, one := range said {
		switch {
		case one == fairnessOff:
			return fairnessOff
		case one == fairnessOn, one == fairnessUntold && all == fairnessNotSeen:
			all = one
		}
	}
	return all
}

// fairnessText says it for people.
func fairnessText(said string) string {
	switch said {
	case fairnessOn:
		return "on: tasks of different keys take turns"
	case fairnessOff:
		return "off: tasks of one key wait behind all those of another"
	case fairnessUntold:
		return "this Temporal does not tell"
	default:
		return "not to be told before a task has waited"
	}
}
