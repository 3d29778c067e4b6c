package temporal

import (
	"net/netip"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

const (
	clusterName = "active"
	storeName   = "sqlite"
	disabled    = "disabled"
)

func serverConfig(p ports, store *config.SQL) *config.Config {
	c := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     storeName,
			VisibilityStore:  storeName,
			NumHistoryShards: 1, // more of them only cost on SQLite
			DataStores:       map[string]config.DataStore{storeName: {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: p.frontend.String()},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): rpc(p.frontend),
			string(primitives.HistoryService):  rpc(p.history),
			string(primitives.MatchingService): rpc(p.matching),
			string(primitives.WorkerService):   rpc(p.worker),
		},
		PublicClient: config.PublicClient{HostPort: p.frontend.String()},
	}
	c.Global.Membership.MaxJoinDuration = 30 * time.Second
	c.Global.Membership.BroadcastAddress = p.frontend.Addr().String()
	c.Archival.History.State = disabled
	c.Archival.Visibility.State = disabled
	c.NamespaceDefaults.Archival.History.State = disabled
	c.NamespaceDefaults.Archival.Visibility.State = disabled
	return c
}

// rpc has no HTTP port, which leaves the frontend's HTTP gateway out: it takes a plain POST from any web page.
func rpc(grpc netip.AddrPort) config.Service {
	return config.Service{RPC: config.RPC{GRPCPort: int(grpc.Port()), BindOnIP: grpc.Addr().String()}}
}

func serverOptions(p ports, store *config.SQL, d *dynamic, log *logger) []temporal.ServerOption {
	return []temporal.ServerOption{
		temporal.WithConfig(serverConfig(p, store)),
		temporal.ForServices(temporal.DefaultServices),
		// Static hosts instead of a membership protocol: four ports fewer, and nothing to join.
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: static.SingleLocalHost(p.frontend.String()),
			primitives.HistoryService:  static.SingleLocalHost(p.history.String()),
			primitives.MatchingService: static.SingleLocalHost(p.matching.String()),
			primitives.WorkerService:   static.SingleLocalHost(p.worker.String()),
		}),
		temporal.WithLogger(log),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(d),
	}
}
