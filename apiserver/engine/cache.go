package engine

import (
	"container/list"
	"sync"
	"time"
)

// cache keeps values for a while, at most limit bytes of them; the ones not read for longest go first.
type cache[V any] struct {
	limit int
	ttl   time.Duration

	mu      sync.Mutex
	size    int
	order   *list.List // of *entry[V], newest first
	entries map[string]*list.Element
}

type entry[V any] struct {
	key     string
	value   V
	size    int
	expires time.Time
}

func newCache[V any](limit int, ttl time.Duration) *cache[V] {
	return &cache[V]{limit: limit, ttl: ttl, order: list.New(), entries: map[string]*list.Element{}}
}

func (c *cache[V]) get(key string) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.entries[key]
	if !ok {
		return value, false
	}
	e := el.Value.(*entry[V])
	if !time.Now().Before(e.expires) {
		c.drop(el)
		return value, false
	}
	c.order.MoveToFront(el)
	return e.value, true
}

// put keeps value, which was true at asOf, until asOf plus the cache's time to live.
func (c *cache[V]) put(key string, value V, size int, asOf time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[key]; ok {
		c.drop(el)
	}
	if size > c.limit {
		return
	}
	c.entries[key] = c.order.PushFront(&entry[V]{key, value, size, asOf.Add(c.ttl)})
	c.size += size
	for c.size > c.limit {
		c.drop(c.order.Back())
	}
}

func (c *cache[V]) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[key]; ok {
		c.drop(el)
	}
}

func (c *cache[V]) drop(el *list.Element) {
	e := c.order.Remove(el).(*entry[V])
	delete(c.entries, e.key)
	c.size -= e.size
}
