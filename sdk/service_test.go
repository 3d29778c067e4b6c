package sdk_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sharing(30*time.Second, "code.generated", "shop.sold", "code.tested", "unknown")
		c := client(t, sdk.Config{HTTPClient: &http.Client{Transport: s}})
		var got []string
		failed := false
		on := func(name string) sdk.EventHandler {
			return func(_ context.Context, e *sdk.Event) error {
				got = append(got, name+" "+string(e.Type))
				if name == "second" && !failed {
					failed = true
					return errors.New("once")
				}
				return nil
			}
		}
		svc := sdk.NewService(c, "n", sdk.StartFrom("beginning"), sdk.MaxDeliveries(3), sdk.AckWait(time.Minute), sdk.Concurrency(1))
		svc.OnEvent("code.generated", on("first"))
		svc.OnEvent("code.*", on("second"))
		svc.OnEvent("shop.sold", on("third"))
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if err := svc.Run(ctx); err != nil {
			t.Error(err)
		}
		want := sdk.SubscriptionRequest{Types: sdk.EventPatterns{"code.*", "shop.sold"}, From: "beginning", MaxDeliveries: 3, AckWaitMs: 60_000}
		if diff := cmp.Diff(&want, s.request); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{
			"first code.generated", "second code.generated", "third shop.sold", "second code.tested", "first code.generated", "second code.generated",
		}, got); diff != "" {
			t.Error(diff)
		}
		if s.undone() != 1 || s.events[3].deliveries != 2 { // what nobody here knows is given back
			t.Errorf("%d undone, the unknown one given out %d times", s.undone(), s.events[3].deliveries)
		}
		again := sdk.NewService(c, "n") // without saying where it began
		again.OnEvent("*", on("any"))
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := again.Run(ctx); err != nil || s.request.From != "beginning" || s.request.Types.String() != "*" {
			t.Errorf("%v, subscribed with %+v", err, s.request)
		}
	})
}

// TestServiceTellsThatItCanNotSubscribe: as of every call that is tried again. What is wrong with its options is found before.
func TestServiceTellsThatItCanNotSubscribe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sharing(30*time.Second, "a")
		back := time.Now().Add(time.Minute)
		s.refuse = func(verb string) *sdk.Error {
			if verb == "" && time.Now().Before(back) {
				return sdk.Errorf(sdk.CodeUnavailable, "starting")
			}
			return nil
		}
		c := client(t, sdk.Config{HTTPClient: &http.Client{Transport: s}})
		var told []error
		svc := sdk.NewService(c, "n", sdk.StartFrom("beginning"), sdk.OnFailure(func(d *sdk.Delivery, err error) {
			if d != nil {
				t.Errorf("with a delivery: %+v", d)
			}
			told = append(told, err)
		}))
		svc.OnEvent("*", func(context.Context, *sdk.Event) error { return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := svc.Run(ctx); err != nil || s.undone() != 0 {
			t.Errorf("%v, %d undone", err, s.undone())
		}
		if len(told) < 3 || len(told) > 60 || !errors.Is(told[0], sdk.ErrUnavailable) {
			t.Errorf("told %v", told)
		}
		s.request = nil
		wrong := sdk.NewService(c, "n", sdk.Concurrency(0))
		wrong.OnEvent("*", func(context.Context, *sdk.Event) error { return nil })
		if err := wrong.Run(t.Context()); !errors.Is(err, sdk.ErrInvalidInput) || s.request != nil {
			t.Errorf("a wrong option: %v, subscribed with %+v", err, s.request)
		}
	})
}
