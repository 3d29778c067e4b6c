package sdk

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// RegisterAgent tells the service of an agent, with the id of the client's configuration (AGENT_ID) unless the request has one. The
// service makes up the id of one that has neither. From then on the agent is to call [Client.HeartbeatAgent] every
// HeartbeatIntervalMs of the answer, or more often. With an id the call is repeated where the service can not be reached.
func (c *Client) RegisterAgent(ctx context.Context, r AgentRequest) (*Agent, error) {
	if r.ID == "" {
		r.ID = c.cfg.AgentID
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return answered[Agent](ctx, c, call{method: http.MethodPost, url: c.address(nil, "v1", "agents"), body: r, repeatable: r.ID != ""})
}

// HeartbeatAgent says that an agent is there, and what it is doing. An agent that is not registered, or not any more, is an error of code
// not_found: register it anew. The call is sent once; the next heartbeat makes up for a lost one.
func (c *Client) HeartbeatAgent(ctx context.Context, id string, h AgentHeartbeat) (*Agent, error) {
	if err := checkID("agent", id); err != nil {
		return nil, err
	}
	if err := h.Validate(); err != nil {
		return nil, err
	}
	return answered[Agent](ctx, c, call{method: http.MethodPost, url: c.address(nil, "v1", "agents", id, "heartbeat"), body: heartbeatBody(h)})
}

// heartbeatBody keeps "no tasks" and "nothing said of tasks" apart, which omitempty would not.
func heartbeatBody(h AgentHeartbeat) map[string]any {
	body := map[string]any{}
	if h.Status != "" {
		body["status"] = h.Status
	}
	if h.CurrentTasks != nil {
		body["currentTasks"] = h.CurrentTasks
	}
	if h.Metadata != nil {
		body["metadata"] = h.Metadata
	}
	return body
}

// Agent answers a registered agent.
func (c *Client) Agent(ctx context.Context, id string) (*Agent, error) {
	if err := checkID("agent", id); err != nil {
		return nil, err
	}
	return answered[Agent](ctx, c, call{method: http.MethodGet, url: c.address(nil, "v1", "agents", id), repeatable: true})
}

// ListAgents answers one page of the agents that the filter chooses: the first with cursor "", the one after a page with its NextCursor
// and the same filter. [Client.Agents] turns the pages itself.
func (c *Client) ListAgents(ctx context.Context, filter AgentFilter, cursor string) (*AgentPage, error) {
	if err := filter.Validate(); err != nil {
		return nil, err
	}
	return answered[AgentPage](ctx, c, call{method: http.MethodGet, url: c.address(filter.query(cursor), "v1", "agents"), repeatable: true})
}

// Agents answers every agent that the filter chooses, by id, page after page as they are asked for. An error ends it.
func (c *Client) Agents(ctx context.Context, filter AgentFilter) iter.Seq2[*Agent, error] {
	return pages("agents", func(cursor string) ([]Agent, string, error) {
		page, err := c.ListAgents(ctx, filter, cursor)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.NextCursor, nil
	})
}

// DeregisterAgent removes an agent from the registry. One that is not there is an error of code not_found. The call is sent once.
func (c *Client) DeregisterAgent(ctx context.Context, id string) error {
	if err := checkID("agent", id); err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodDelete, url: c.address(nil, "v1", "agents", id)}, nil)
}

// Roles answers every built-in role and the others that an agent is registered for or an open task is for: who is there, who asks for work, what waits.
func (c *Client) Roles(ctx context.Context) ([]RoleState, error) {
	var list RoleList
	if err := c.do(ctx, call{method: http.MethodGet, url: c.address(nil, "v1", "roles"), repeatable: true}, &list); err != nil {
		return nil, err
	}
	return list.Items, nil
}

// query is the filter as parameters of the API.
func (a AgentFilter) query(cursor string) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"role": string(a.Role), "capability": a.Capability, "status": string(a.Status), "cursor": cursor,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if a.Limit > 0 {
		q.Set("limit", strconv.Itoa(a.Limit))
	}
	return q
}
