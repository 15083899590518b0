-- What `jaxshop db upgrade` executes: brings the tables of results of earlier versions to what schema.sql makes. Each
-- statement does nothing where it is done already.

ALTER TABLE `schedules`
  MODIFY `schedule_id` CHAR(64) NOT NULL COMMENT 'sha256 of shop, source, lot size, plan start and operations',
  MODIFY `checkpoint_id` VARCHAR(255) NULL COMMENT 'or the search or rule that made it',
  MODIFY `plan_start` DATETIME NOT NULL COMMENT 'UTC',
  MODIFY `created_at` DATETIME NOT NULL COMMENT 'UTC',
  ADD COLUMN IF NOT EXISTS `status` ENUM('draft', 'released', 'superseded') NOT NULL DEFAULT 'draft',
  ADD COLUMN IF NOT EXISTS `objective_h` DECIMAL(16,6) NULL COMMENT 'what the search made small',
  ADD COLUMN IF NOT EXISTS `lower_bound_h` DECIMAL(16,6) NULL COMMENT 'of the objective, certified',
  ADD COLUMN IF NOT EXISTS `gap_percent` DOUBLE NULL COMMENT 'between the two',
  ADD COLUMN IF NOT EXISTS `late_jobs` INT NULL COMMENT 'NULL: no job has a due date',
  ADD COLUMN IF NOT EXISTS `options` LONGTEXT NULL COMMENT 'JSON: what was asked for',
  ADD COLUMN IF NOT EXISTS `author` VARCHAR(64) NULL COMMENT 'name of the key that asked',
  ADD COLUMN IF NOT EXISTS `based_on` CHAR(64) NULL COMMENT 'the plan that was released when this one was made',
  ADD COLUMN IF NOT EXISTS `released_at` DATETIME NULL COMMENT 'UTC',
  ADD COLUMN IF NOT EXISTS `released_by` VARCHAR(64) NULL,
  ADD COLUMN IF NOT EXISTS `only_released` TINYINT AS (IF(`status` = 'released', 1, NULL)) PERSISTENT,
  ADD UNIQUE KEY IF NOT EXISTS `one_is_released` (`only_released`);

ALTER TABLE `scheduled_operations`
  MODIFY `start_at` DATETIME NOT NULL COMMENT 'UTC',
  MODIFY `end_at` DATETIME NOT NULL COMMENT 'UTC',
  ADD COLUMN IF NOT EXISTS `quantity` BIGINT NULL COMMENT 'parts in the lot';
