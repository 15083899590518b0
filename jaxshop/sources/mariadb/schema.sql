-- The tables of jaxshop; `jaxshop db init` makes them. A site that keeps its own schema makes views of the
-- first five names instead. Every DATETIME is UTC.
-- Ids compare byte by byte (utf8mb4_bin), so that 'pp09' never stands for 'PP09'.

CREATE TABLE `machines` (
  `machine_id`     VARCHAR(64) NOT NULL PRIMARY KEY,
  `work_centre`    VARCHAR(64) NULL,
  `available_from` DATETIME NULL,
  `active`         TINYINT NOT NULL DEFAULT 1
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
