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

-- Results. Ids are copied, not referenced: a schedule outlives the jobs that it was made for.
CREATE TABLE `schedules` (
  `schedule_id`      CHAR(64) NOT NULL PRIMARY KEY COMMENT 'sha256 of everything stored about it',
  `shop_fingerprint` CHAR(64) NOT NULL,
  `checkpoint_id`    VARCHAR(255) NULL COMMENT 'or the rule that made it',
  `max_lot_hours`    DOUBLE NULL COMMENT 'NULL: whole jobs',
  `plan_start`       DATETIME NOT NULL,
  `makespan_h`       DECIMAL(12,6) NOT NULL,
  `created_at`       DATETIME NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `scheduled_operations` (
  `schedule_id`  CHAR(64) NOT NULL,
  `job_id`       VARCHAR(64) NOT NULL,
  `lot`          INT NOT NULL,
  `operation_id` VARCHAR(96) NOT NULL,
  `machine_id`   VARCHAR(64) NOT NULL,
  `start_at`     DATETIME NOT NULL,
  `end_at`       DATETIME NOT NULL,
  PRIMARY KEY (`schedule_id`, `operation_id`, `lot`),
  KEY `scheduled_by_machine` (`schedule_id`, `machine_id`, `start_at`),
  FOREIGN KEY (`schedule_id`) REFERENCES `schedules` (`schedule_id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
