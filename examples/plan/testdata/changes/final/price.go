// Package shop adds up what a basket costs.
package shop

// Item is one line of a basket. Price is in cents.
type Item struct {
	Name  string
	Price int
	Count int
}

// Total is what the items cost after a discount in cents; a discount never turns it negative.
func Total(items []Item, discount int) int {
	sum := 0
	for _, item := range items {
		sum += item.Price * item.Count
	}
	return max(sum-discount, 0)
}
