package shop

import "testing"

func TestTotal_Empty(t *testing.T) {
	if got := Total(nil, 0); got != 0 {
		t.Errorf("got %d, want 0", got)
	}
}

func TestTotal_CountsEveryPiece(t *testing.T) {
	if got := Total([]Item{{Name: "cup", Price: 300, Count: 4}}, 0); got != 1200 {
		t.Errorf("got %d, want 1200", got)
	}
}

func TestTotal_DiscountStopsAtZero(t *testing.T) {
	if got := Total([]Item{{Name: "cup", Price: 300, Count: 1}}, 500); got != 0 {
		t.Errorf("got %d, want 0", got)
	}
}
