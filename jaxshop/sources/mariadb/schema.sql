-- The tables of jaxshop; `jaxshop db init` makes them. A site that keeps its own schema makes views of the
-- first five names instead. Every DATETIME is UTC.
-- Ids compare byte by byte (utf8mb4_bin), so that 'pp09' never stands for 'PP09'.

CREATE TABLE `machines` (
  `machine_id`     VARCHAR(64) NOT NULL PRIMARY KEY,
  `work_centre`    VARCHAR(64) NULL,
  `available_from` DATETIME NULL,
  `active`         TINYINT NOT NULL DEFAULT 1,
  `calendar_id`    VARCHAR(64) NULL COMMENT 'NULL: always open',
  `family`         VARCHAR(64) NULL COMMENT 'what it is set up for'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `jobs` (
  `job_id`     VARCHAR(64) NOT NULL PRIMARY KEY,
  `quantity`   BIGINT NULL,
  `release_at` DATETIME NULL,
  `due_at`     DATETIME NULL,
  `weight`     DECIMAL(9,4) NOT NULL DEFAULT 1,
  `status`     VARCHAR(16) NOT NULL DEFAULT 'open',
  KEY `jobs_by_status` (`status`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- `seq` counts 1, 2, 3, ... along the job's route.
CREATE TABLE `operations` (
  `operation_id` VARCHAR(96) NOT NULL PRIMARY KEY,
  `job_id`       VARCHAR(64) NOT NULL,
  `seq`          INT NOT NULL,
  `setup_h`      DECIMAL(12,6) NOT NULL DEFAULT 0,
  `family`       VARCHAR(64) NULL,
  `interruptible` TINYINT NOT NULL DEFAULT 1 COMMENT '0: must not stop where its machine closes',
  `lag_h`        DECIMAL(12,6) NOT NULL DEFAULT 0 COMMENT 'before the next operation',
  UNIQUE KEY `operations_by_job` (`job_id`, `seq`),
  FOREIGN KEY (`job_id`) REFERENCES `jobs` (`job_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One row for every machine that may run the operation.
CREATE TABLE `operation_machines` (
  `operation_id` VARCHAR(96) NOT NULL,
  `machine_id`   VARCHAR(64) NOT NULL,
  `duration_h`   DECIMAL(12,6) NOT NULL CHECK (`duration_h` > 0),
  PRIMARY KEY (`operation_id`, `machine_id`),
  FOREIGN KEY (`operation_id`) REFERENCES `operations` (`operation_id`),
  FOREIGN KEY (`machine_id`) REFERENCES `machines` (`machine_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One row, which the invisible key enforces.
CREATE TABLE `plan` (
  `plan_start` DATETIME NOT NULL,
  `only_row`   TINYINT INVISIBLE NOT NULL DEFAULT 1 PRIMARY KEY CHECK (`only_row` = 1)
) ENGINE=InnoDB;

-- The plant's own rules, all optional, as are `calendar_id`, `family`, `interruptible` and `lag_h` above: a site may
-- leave tables and columns out. Times of shifts are by the clock on the wall of the zone; 24:00:00 ends a day.
CREATE TABLE `calendars` (
  `calendar_id` VARCHAR(64) NOT NULL PRIMARY KEY,
  `timezone`    VARCHAR(64) NOT NULL COMMENT 'of IANA, such as Europe/Berlin'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `calendar_shifts` (
  `calendar_id` VARCHAR(64) NOT NULL,
  `weekday`     ENUM('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun') NOT NULL,
  `opens`       TIME NOT NULL,
  `closes`      TIME NOT NULL,
  PRIMARY KEY (`calendar_id`, `weekday`, `opens`),
  FOREIGN KEY (`calendar_id`) REFERENCES `calendars` (`calendar_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A day without times is closed; one with times has these shifts instead of its weekday's.
CREATE TABLE `calendar_days` (
  `calendar_id` VARCHAR(64) NOT NULL,
  `day`         DATE NOT NULL,
  `opens`       TIME NULL,
  `closes`      TIME NULL,
  UNIQUE KEY `shifts_of_day` (`calendar_id`, `day`, `opens`),
  FOREIGN KEY (`calendar_id`) REFERENCES `calendars` (`calendar_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `machine_downtime` (
  `machine_id` VARCHAR(64) NOT NULL,
  `starts_at`  DATETIME NOT NULL,
  `ends_at`    DATETIME NOT NULL,
  `reason`     VARCHAR(255) NULL,
  KEY `downtime_by_machine` (`machine_id`, `starts_at`),
  FOREIGN KEY (`machine_id`) REFERENCES `machines` (`machine_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Either a machine or a work centre; `from_family` NULL: any other family, or none that is known.
CREATE TABLE `setups` (
  `work_centre` VARCHAR(64) NULL,
  `machine_id`  VARCHAR(64) NULL,
  `from_family` VARCHAR(64) NULL,
  `to_family`   VARCHAR(64) NOT NULL,
  `setup_h`     DECIMAL(12,6) NOT NULL,
  KEY `setups_by_family` (`to_family`),
  FOREIGN KEY (`machine_id`) REFERENCES `machines` (`machine_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A finished operation leaves the shop; one that is not finished runs, from `started_at` on.
CREATE TABLE `progress` (
  `operation_id` VARCHAR(96) NOT NULL PRIMARY KEY,
  `machine_id`   VARCHAR(64) NOT NULL,
  `started_at`   DATETIME NOT NULL,
  `finished_at`  DATETIME NULL,
  FOREIGN KEY (`operation_id`) REFERENCES `operations` (`operation_id`),
  FOREIGN KEY (`machine_id`) REFERENCES `machines` (`machine_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Results; every time is UTC. Ids are copied, not referenced: a schedule outlives the jobs that it was made for.
-- A plan begins as a draft; at most one is released, which the last column enforces; the one before it is superseded.
CREATE TABLE `schedules` (
  `schedule_id`      CHAR(64) NOT NULL PRIMARY KEY COMMENT 'sha256 of shop, source, lot size, plan start and operations',
  `shop_fingerprint` CHAR(64) NOT NULL,
  `checkpoint_id`    VARCHAR(255) NULL COMMENT 'or the search or rule that made it',
  `max_lot_hours`    DOUBLE NULL COMMENT 'NULL: whole jobs',
  `plan_start`       DATETIME NOT NULL COMMENT 'UTC',
  `makespan_h`       DECIMAL(12,6) NOT NULL,
  `created_at`       DATETIME NOT NULL COMMENT 'UTC',
  `status`           ENUM('draft', 'released', 'superseded') NOT NULL DEFAULT 'draft',
  `objective_h`      DECIMAL(16,6) NULL COMMENT 'what the search made small',
  `lower_bound_h`    DECIMAL(16,6) NULL COMMENT 'of the objective, certified',
  `gap_percent`      DOUBLE NULL COMMENT 'between the two',
  `late_jobs`        INT NULL COMMENT 'NULL: no job has a due date',
  `options`          LONGTEXT NULL COMMENT 'JSON: what was asked for',
  `author`           VARCHAR(64) NULL COMMENT 'name of the key that asked',
  `based_on`         CHAR(64) NULL COMMENT 'the plan that was released when this one was made',
  `released_at`      DATETIME NULL COMMENT 'UTC',
  `released_by`      VARCHAR(64) NULL,
  `only_released`    TINYINT AS (IF(`status` = 'released', 1, NULL)) PERSISTENT,
  UNIQUE KEY `one_is_released` (`only_released`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `scheduled_operations` (
  `schedule_id`  CHAR(64) NOT NULL,
  `job_id`       VARCHAR(64) NOT NULL,
  `lot`          INT NOT NULL,
  `operation_id` VARCHAR(96) NOT NULL,
  `machine_id`   VARCHAR(64) NOT NULL,
  `start_at`     DATETIME NOT NULL COMMENT 'UTC',
  `end_at`       DATETIME NOT NULL COMMENT 'UTC',
  `quantity`     BIGINT NULL COMMENT 'parts in the lot',
  PRIMARY KEY (`schedule_id`, `operation_id`, `lot`),
  KEY `scheduled_by_machine` (`schedule_id`, `machine_id`, `start_at`),
  FOREIGN KEY (`schedule_id`) REFERENCES `schedules` (`schedule_id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What the floor works by: the released plan, and for each machine its operations in order.
CREATE VIEW `current_plan` AS
SELECT o.`job_id`, o.`lot`, o.`operation_id`, o.`machine_id`, o.`quantity`, o.`start_at` AS `start_utc`,
       o.`end_at` AS `end_utc`, s.`schedule_id`, s.`plan_start` AS `plan_start_utc`, s.`released_at` AS `released_utc`,
       s.`released_by`
FROM `schedules` AS s JOIN `scheduled_operations` AS o ON o.`schedule_id` = s.`schedule_id`
WHERE s.`only_released` = 1;

CREATE VIEW `dispatch_list` AS
SELECT o.`machine_id`,
       ROW_NUMBER() OVER (PARTITION BY o.`machine_id` ORDER BY o.`start_at`, o.`end_at`, o.`operation_id`, o.`lot`)
         AS `position`,
       o.`job_id`, o.`lot`, o.`operation_id`, o.`quantity`, o.`start_at` AS `start_utc`, o.`end_at` AS `end_utc`
FROM `schedules` AS s JOIN `scheduled_operations` AS o ON o.`schedule_id` = s.`schedule_id`
WHERE s.`only_released` = 1;

-- Asynchronous requests to the server and their results, kept here where the server is configured with this database.
-- Times are seconds since 1970; bodies, progress, problems and results are compressed by zlib.
CREATE TABLE `requests` (
  `id`              VARCHAR(32) NOT NULL PRIMARY KEY,
  `owner`           VARCHAR(64) NOT NULL COMMENT 'name of the key that asked',
  `idempotency_key` VARCHAR(255) NULL,
  `digest`          VARCHAR(64) NOT NULL COMMENT 'sha256 of query and body',
  `query`           LONGBLOB NOT NULL,
  `body`            LONGBLOB NOT NULL COMMENT 'empty once it has ended',
  `status`          VARCHAR(16) NOT NULL,
  `stopped`         INT NOT NULL,
  `submitted_at`    DOUBLE NOT NULL,
  `ended_at`        DOUBLE NULL,
  `server`          VARCHAR(32) NULL COMMENT 'the process that works on it',
  `lease_until`     DOUBLE NOT NULL COMMENT 'when another process takes it up anew',
  `attempts`        INT NOT NULL,
  `progress`        LONGBLOB NOT NULL,
  `problem`         LONGBLOB NULL,
  `result`          LONGBLOB NULL,
  UNIQUE KEY `one_request_a_key` (`owner`, `idempotency_key`),
  KEY `requests_by_owner` (`owner`, `submitted_at`),
  KEY `requests_under_work` (`ended_at`, `lease_until`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
