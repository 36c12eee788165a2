package db

import (
	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/db/internal/upkeep"
	"github.com/reprise-dev/reprise/relay"
)

// What the store takes and answers, under the names by which others know it.

type (
	Options        = sqldb.Options
	SchemaError    = sqldb.SchemaError
	Page           = sqldb.Page
	Slice[T any]   = sqldb.Slice[T]
	Snapshot       = settings.Snapshot
	SessionStore   = settings.SessionStore
	StoredResponse = settings.StoredResponse
	AuditFilter    = settings.AuditFilter

	EventFilter    = lists.EventFilter
	EventSlice     = lists.EventSlice
	DeliveryFilter = lists.DeliveryFilter

	Reception    = engine.Reception
	Lease        = engine.Lease
	Claim        = engine.Claim
	ClaimRef     = engine.ClaimRef
	ClaimRequest = engine.ClaimRequest
	Recording    = engine.Recording
	Standing     = engine.Standing
	DueEndpoint  = engine.DueEndpoint
	TaskLease    = engine.TaskLease
	EventPayload = engine.EventPayload
	Budget       = engine.Budget
	Stats        = engine.Stats
	StatsQuery   = engine.StatsQuery
	Series       = engine.Series

	ReplayFilter  = replays.ReplayFilter
	ReplayWalk    = replays.ReplayWalk
	ReplayStep    = replays.ReplayStep
	RunningReplay = replays.RunningReplay

	RetentionOptions = upkeep.RetentionOptions
	RetentionRun     = upkeep.RetentionRun
	RetentionReport  = upkeep.RetentionReport
	RetainedSource   = upkeep.RetainedSource
	LaneBacklog      = upkeep.LaneBacklog
)

// See engine.Standing.
const (
	ClaimLost  = engine.ClaimLost
	ClaimHolds = engine.ClaimHolds
	ClaimWaits = engine.ClaimWaits
)

// ClockOff is how far the clock of a machine may be off before it is told of.
const ClockOff = sqldb.ClockOff

// What keeps a database from being opened.
var (
	ErrInUse    = sqldb.ErrInUse
	ErrNotAlone = sqldb.ErrNotAlone
	ErrOutdated = sqldb.ErrOutdated
	ErrPooler   = sqldb.ErrPooler
	ErrWrongKey = sqldb.ErrWrongKey
)

// ClaimOf is the claim on a delivery that was made in flight.
func ClaimOf(d *relay.Delivery) Claim { return engine.ClaimOf(d) }
