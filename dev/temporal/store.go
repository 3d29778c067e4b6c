package temporal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	schema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ErrIncompatibleFile is returned by [Start] for a file that is not a database of this version of the server.
var ErrIncompatibleFile = errors.New("not a database of this Temporal version")

// ErrFileInUse is returned by [Start] for a file that another running server has open.
var ErrFileInUse = errors.New("database in use")

// driver is the name under which the server's SQLite plugin registers its database/sql driver.
const driver = "sqlite"

// store is the open database file: its lock is held until close.
type store struct {
	file string
	lock *os.File
}

// openStore makes or checks the file and the namespace in it.
func openStore(ctx context.Context, o Options) (s *store, err error) {
	path, err := filepath.Abs(o.DBFile)
	if err != nil {
		return nil, fmt.Errorf("temporal: database file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("temporal: directory of the database file: %w", err)
	}
	s = &store{file: path}
	if s.lock, err = lockFile(path + ".lock"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.prepare(ctx); err != nil {
		return s, err
	}
	err = s.createNamespace(o)
	return s, err
}

func (s *store) close() error { return s.lock.Close() }

// lockFile holds an advisory lock for as long as the file is open, so that no two servers write one database.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("temporal: lock file: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%w: another server runs on it (lock %s)", ErrFileInUse, path)
		}
		return nil, errors.Join(fmt.Errorf("temporal: %w", err), f.Close())
	}
	return f, nil
}

// config is how the server opens the file.
func (s *store) config() *config.SQL {
	return &config.SQL{
		PluginName: sqlite.PluginName,
		// The plugin pastes the name into a URI as it is.
		DatabaseName: (&url.URL{Path: s.file}).EscapedPath(),
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "wal", // with synchronous=1 about twice the throughput, and safe against a killed process
			"synchronous":  "1",
		},
	}
}

// prepare gives an empty file its schema and checks that of another: there is no migration from one version to the next.
func (s *store) prepare(ctx context.Context) error {
	info, err := os.Stat(s.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("temporal: database file: %w", err)
	case info.Size() > 0:
		return s.checkSchema(ctx)
	}
	// A half-made schema must not be taken for a whole one, so it is made beside the file and moved into place.
	fresh := &store{file: s.file + ".new"}
	if err := removeDatabase(fresh.file); err != nil {
		return err
	}
	conf := fresh.config()
	conf.ConnectAttributes = map[string]string{"mode": "rwc"}
	if err := schema.SetupSchema(conf); err != nil {
		return fmt.Errorf("temporal: set up the schema of %s: %w", s.file, err)
	}
	if err := os.Rename(fresh.file, s.file); err != nil {
		return fmt.Errorf("temporal: database file: %w", err)
	}
	return nil
}

func removeDatabase(file string) error {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(file + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("temporal: remove an unfinished database: %w", err)
		}
	}
	return nil
}

// checkSchema compares the file's tables with those that this version of the server makes.
func (s *store) checkSchema(ctx context.Context) error {
	conf := s.config()
	have, err := tables(ctx, "file:"+conf.DatabaseName+"?mode=ro")
	if err != nil {
		return s.incompatible(err.Error())
	}
	dir, err := os.MkdirTemp("", "rolecall-schema-")
	if err != nil {
		return fmt.Errorf("temporal: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	reference := &store{file: filepath.Join(dir, "reference.db")}
	if err := schema.SetupSchema(&config.SQL{PluginName: sqlite.PluginName, DatabaseName: reference.config().DatabaseName, ConnectAttributes: map[string]string{"mode": "rwc"}}); err != nil {
		return fmt.Errorf("temporal: set up a schema to compare with: %w", err)
	}
	want, err := tables(ctx, "file:"+reference.config().DatabaseName+"?mode=ro")
	if err != nil {
		return fmt.Errorf("temporal: read a schema to compare with: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if have[name] != want[name] {
			return s.incompatible(fmt.Sprintf("its table or index %q differs from schema %s", name, schema.Version))
		}
	}
	return nil
}

func (s *store) incompatible(why string) error {
	return fmt.Errorf("temporal: %s is %w: %s. There is no migration: move the file away to start afresh, or use another data directory (ROLECALL_DATA_DIR)",
		s.file, ErrIncompatibleFile, why)
}

// tables reads the definitions of a database's tables and indexes by name.
func tables(ctx context.Context, dsn string) (_ map[string]string, err error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, `SELECT name, coalesce(sql, '') FROM sqlite_master`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	defs := map[string]string{}
	for rows.Next() {
		var name, def string
		if err := rows.Scan(&name, &def); err != nil {
			return nil, err
		}
		defs[name] = def
	}
	return defs, rows.Err()
}

// createNamespace makes the namespace with its search attributes, before any service has read it. One that is there is left as it is.
func (s *store) createNamespace(o Options) error {
	attributes := map[string]enums.IndexedValueType{}
	for _, key := range o.SearchAttributes {
		attributes[key.GetName()] = key.GetValueType()
	}
	ns, err := schema.NewNamespaceConfig(clusterName, o.Namespace, false, attributes)
	if err != nil {
		return fmt.Errorf("temporal: namespace: %w", err)
	}
	ns.Detail.Config.Retention = durationpb.New(o.Retention)
	if err := schema.CreateNamespaces(s.config(), ns); err != nil {
		return fmt.Errorf("temporal: namespace: %w", err)
	}
	return nil
}
